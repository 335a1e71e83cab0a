package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
)

// sim runs the command until the test ends and returns its ready line, and a
// function that interrupts it and returns the exit code.
func sim(t *testing.T, args ...string) (place, func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, w, &stderr)
		w.Close()
	}()
	var at place
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			if err := json.Unmarshal([]byte(text), &at); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if at.Sticks == nil {
		t.Fatalf("not ready: exit %d, %s", <-code, stderr.String())
	}
	stop := func() int {
		cancel()
		c := <-code
		code <- c
		return c
	}
	t.Cleanup(func() { stop() })
	return at, stop
}

func TestSticksAndControl(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "attic.json")
	at, stop := sim(t, "-dongle", "name=attic,tcp=127.0.0.1:0,image="+image, "-form", "attic",
		"-dongle", "name=cellar,tcp=127.0.0.1:0", "-device", "lamp=kitchen", "-device", "sensor=bath,new", "-control", "127.0.0.1:0")
	conn, err := net.Dial("tcp", strings.TrimPrefix(at.Sticks["attic"], "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frames := unpi.NewReader(conn)
	request := func(s unpi.Subsystem, id byte, data ...byte) unpi.Frame {
		t.Helper()
		if _, err := conn.Write(unpi.Frame{Type: unpi.SREQ, Subsystem: s, ID: id, Data: data}.Append(nil)); err != nil {
			t.Fatal(err)
		}
		f, err := frames.Next()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := request(unpi.SYS, 1); f.Type != unpi.SRSP {
		t.Errorf("ping: %v", f)
	}
	second, err := net.Dial("tcp", conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("a second client was served %d bytes", n)
	}
	second.Close()
	request(unpi.SYS, 0x35, 1, 0, 0, 0x5F, 0, 1, 7) // one item more, for the image file
	if got := get(t, at.Control+"/devices"); !strings.Contains(got, `"kitchen"`) || !strings.Contains(got, `"bath"`) {
		t.Errorf("devices: %s", got)
	}
	if c := stop(); c != 0 {
		t.Errorf("exit %d after an interrupt, want 0", c)
	}
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nvimage.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := m.Identity(); err != nil || id != defaultNetwork {
		t.Errorf("identity in the file: %v, %v", id.Differences(defaultNetwork), err)
	}
	if _, ok := m.Get(nvimage.OSAL(nvimage.ZigpyZnpMigrationID)); !ok {
		t.Error("what was written is not in the image file")
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

func TestBadFlags(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no stick", nil, "at least one -dongle"},
		{"a stick without a name", []string{"-dongle", "pty=/tmp/x"}, "name="},
		{"a stick without a port", []string{"-dongle", "name=a"}, "pty= or tcp="},
		{"an unknown key", []string{"-dongle", "name=a,usb=1"}, "unknown key"},
		{"a strange device", []string{"-device", "fridge=x"}, "lamp, sensor or sleepy"},
		{"two of a name", []string{"-dongle", "name=a,tcp=:1", "-dongle", "name=a,tcp=:2"}, "two sticks"},
		{"a stick to form that is not there", []string{"-dongle", "name=a,tcp=:1", "-form", "b"}, "no such stick"},
		{"a channel of another band", []string{"-network", "channel=3"}, "11 to 26"},
		{"a flag that is not there", []string{"-dongel", "name=a"}, "(znp-sim -h helps)"},
		{"a short key", []string{"-network", "key=00"}, "32 hex digits"},
	}
	for _, tt := range tests {
		var stderr bytes.Buffer
		if c := run(context.Background(), tt.args, io.Discard, &stderr); c != 2 || !strings.Contains(stderr.String(), tt.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, %q; want 2 and one line with %q", tt.name, c, stderr.String(), tt.want)
		}
	}
}

func TestControlStaysOnLoopback(t *testing.T) {
	var stderr bytes.Buffer
	c := run(context.Background(), []string{"-dongle", "name=a,tcp=127.0.0.1:0", "-control", "0.0.0.0:0"}, io.Discard, &stderr)
	if c != 1 || !strings.Contains(stderr.String(), "loopback") {
		t.Errorf("exit %d, %q", c, stderr.String())
	}
}

// A start that fails says what to do, and leaves nothing behind.
func TestPortTrouble(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken, dir := l.Addr().String(), t.TempDir()
	image := filepath.Join(dir, "a.json")
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a stick's port is in use", []string{"-dongle", "name=b,tcp=" + taken}, "choose another port, or 0"},
		{"the control port is in use", []string{"-control", taken}, "choose another port, or 0"},
		{"the link's directory is missing", []string{"-dongle", "name=b,pty=" + dir + "/x/y"}, "make it first: mkdir -p " + dir + "/x"},
		{"the link is something else", []string{"-dongle", "name=b,pty=" + dir}, "is not a link; choose another name"},
	} {
		var stderr bytes.Buffer
		args := append([]string{"-dongle", "name=a,tcp=127.0.0.1:0,image=" + image, "-form", "a"}, tt.args...)
		if c := run(context.Background(), args, io.Discard, &stderr); c != 1 || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%s: exit %d, %q; want 1 and %q", tt.name, c, stderr.String(), tt.want)
		}
		if _, err := os.Stat(image); err == nil {
			t.Errorf("%s: an image was made", tt.name)
		}
	}
}

// The example in the help works where it is typed.
func TestExample(t *testing.T) {
	t.Chdir(t.TempDir())
	_, text, _ := strings.Cut(usage, "  znp-sim ")
	text, _, _ = strings.Cut(text, "\n\n")
	// Any free port: the one in the text may be taken on this machine.
	text = strings.NewReplacer("\\\n", " ", ":6638", ":0").Replace(text)
	at, _ := sim(t, strings.Fields(text)...)
	if at.Sticks["attic"] != "attic.tty" || at.Control == "" {
		t.Errorf("ready with %+v", at)
	}
}
