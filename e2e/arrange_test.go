package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"z2mha/internal/world/home"
)

// reconfigure changes z2mha.yaml.
func (b *bench) reconfigure(change func(string) string) {
	b.Helper()
	raw, err := os.ReadFile(b.home.Config)
	if err != nil {
		b.Fatal(err)
	}
	changed := change(string(raw))
	if changed == string(raw) {
		b.Fatal("z2mha.yaml did not change")
	}
	if err := os.WriteFile(b.home.Config, []byte(changed), 0o600); err != nil {
		b.Fatal(err)
	}
}

// reconfigureNode gives a node of z2mha.yaml another value for a key, or the key.
func (b *bench) reconfigureNode(node, key, value string) {
	b.Helper()
	b.reconfigure(func(s string) string {
		head, rest, _ := strings.Cut(s, "- name: "+node+"\n")
		next := strings.Index(rest, "\n      - name:")
		if next < 0 {
			next = strings.Index(rest, "\ntiming:")
		}
		section, tail := rest[:next], rest[next:]
		line := regexp.MustCompile(`(?m)^        ` + key + `: .*$`)
		if line.MatchString(section) {
			section = line.ReplaceAllString(section, "        "+key+": "+value)
		} else {
			section = "        " + key + ": " + value + "\n" + section
		}
		return head + "- name: " + node + "\n" + section + tail
	})
}

// edit changes a file of a node's data directory.
func (b *bench) edit(n *home.Node, file string, change func(string) string) {
	b.Helper()
	b.write(n, file, change(b.read(n, file)))
}

func (b *bench) write(n *home.Node, file, content string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(n.Data, file), []byte(content), 0o644); err != nil {
		b.Fatal(err)
	}
}

// replaceLine replaces the line that contains mark.
func replaceLine(text, mark, with string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.Contains(l, mark) {
			lines[i] = with
		}
	}
	return strings.Join(lines, "\n")
}

// install puts a program of that name before all others on a host.
func (b *bench) install(n *home.Node, name, script string) {
	b.Helper()
	bin := filepath.Join(n.Dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
		b.Fatal(err)
	}
}

// breakService makes the start of a node's service do nothing.
func (b *bench) breakService(n *home.Node) {
	b.Helper()
	raw, err := os.ReadFile(n.Script())
	if err != nil {
		b.Fatal(err)
	}
	broken := strings.Replace(string(raw), "\tsetsid ", "\tfalse ", 1)
	if err := os.WriteFile(n.Script(), []byte(broken), 0o755); err != nil {
		b.Fatal(err)
	}
}

// patience is for whole parts of a switchover, on slow sticks and a busy machine.
const patience = 2 * time.Minute

// eventually waits for something that no message announces.
func (b *bench) eventually(what string, holds func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatalf("never came true: %s", what)
		}
	}
}

// fingerprint is what must be equal when nothing has changed: processes, data
// directories and parked sticks. A stick on air counts frames, so it is left out,
// and so is the log.
func (b *bench) fingerprint() map[string]string {
	b.Helper()
	out := map[string]string{"on air": b.home.OnAir()}
	for _, n := range b.home.Nodes() {
		if strings.Contains(b.home.OnAir(), n.Name) {
			out[n.Name+" process"] = strconv.Itoa(n.PID())
		} else {
			out[n.Name+" stick"] = n.Dongle.Image().Hash()
		}
		b.fingerprintData(n, out)
	}
	return out
}

func (b *bench) fingerprintData(n *home.Node, out map[string]string) {
	b.Helper()
	err := filepath.WalkDir(n.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/log/") {
			return err
		}
		raw, err := os.ReadFile(path)
		sum := sha256.Sum256(raw)
		out[n.Name+strings.TrimPrefix(path, n.Data)] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
