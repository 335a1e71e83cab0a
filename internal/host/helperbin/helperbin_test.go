package helperbin_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"z2mha/internal/host/helperbin"
)

func TestFor(t *testing.T) {
	for _, machine := range helperbin.Machines() {
		b, err := helperbin.For(machine + "\n")
		if errors.Is(err, helperbin.ErrNotBuilt) {
			if !strings.Contains(err.Error(), "make helpers") || !strings.Contains(err.Error(), machine) {
				t.Errorf("%s: the error does not help: %v", machine, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", machine, err)
			continue
		}
		if !bytes.HasPrefix(b.Data, []byte("\x7fELF")) || len(b.SHA256) != 64 {
			t.Errorf("%s: %s is no program", machine, b.Name)
		}
	}
}

// The size is a promise: it is pushed to small hosts over slow links.
func TestSize(t *testing.T) {
	const most = 5_000_000
	for _, name := range helperbin.Built() {
		machine := strings.TrimPrefix(name, "znp-helper-linux-")
		if machine == "armv6" {
			machine = "arm"
		}
		b, err := helperbin.For(machine)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, len(b.Data))
		if len(b.Data) > most {
			t.Errorf("%s has %d bytes, at most %d are promised", name, len(b.Data), most)
		}
	}
}

func TestForUnknownMachine(t *testing.T) {
	_, err := helperbin.For("riscv64")
	if err == nil || !strings.Contains(err.Error(), "riscv64") || !strings.Contains(err.Error(), "x86_64") {
		t.Errorf("got %v", err)
	}
}
