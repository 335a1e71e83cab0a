package port_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/port"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", address, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestTCP(t *testing.T) {
	for _, test := range []struct{ scheme, listen string }{
		{"tcp", "127.0.0.1:0"}, {"socket", "127.0.0.1:0"}, {"tcp", "[::1]:0"},
	} {
		t.Run("it connects to "+test.scheme+"://"+test.listen, func(t *testing.T) {
			l := listen(t, test.listen)
			p := open(t, test.scheme+"://"+l.Addr().String())
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			if _, err := far.Write([]byte("hi")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 2)
			if _, err := io.ReadFull(p, got); err != nil || string(got) != "hi" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	t.Run("closing wakes a reader", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		p := open(t, "tcp://"+l.Addr().String())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = p.Read(make([]byte, 1))
		}()
		_ = p.Close()
		soon(t, done, "it still reads")
	})
	t.Run("it says what to check when nobody answers", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		address := "tcp://" + l.Addr().String()
		_ = l.Close()
		_, err := port.Open(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), "check address and power") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("it ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, address := range []string{"tcp://127.0.0.1:1", "/dev/null"} {
			if _, err := port.Open(ctx, address); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", address, err)
			}
		}
	})
	for _, address := range []string{"tcp://", "tcp://host", "tcp://:6638", "tcp://h:6638/x", "tcp://fd00::7:6638x"} {
		t.Run("it refuses "+address, func(t *testing.T) {
			_, err := port.Open(t.Context(), address)
			if err == nil || !strings.Contains(err.Error(), "want tcp://host:port") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A network coordinator serves one client; a second one may take over its stream.
func TestTCPBusy(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := "tcp://" + l.Addr().String()
	pid, _ := startHolder(t, "port", address)
	want := []port.Holder{{PID: pid, Command: self()}}

	got, err := port.Holders(address)
	if err != nil && !errors.Is(err, port.ErrIncomplete) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("holders: %s", diff)
	}
	_, err = port.Open(t.Context(), address)
	var busy *port.BusyError
	if !errors.As(err, &busy) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(want, busy.Holders); diff != "" {
		t.Error(diff)
	}
}

func TestTCPHoldersIncludeThisProgram(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := "tcp://" + l.Addr().String()
	if got, _ := port.Holders(address); len(got) > 0 {
		t.Errorf("nobody is connected, got %v", got)
	}
	open(t, address)
	got, _ := port.Holders(address)
	if len(got) != 1 || got[0].PID != os.Getpid() {
		t.Errorf("got %v", got)
	}
}
