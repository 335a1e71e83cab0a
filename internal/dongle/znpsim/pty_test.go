//go:build linux

package znpsim_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

func servePTY(t *testing.T, d *znpsim.Dongle) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stick")
	pty, err := d.OpenPTY(path)
	if err != nil {
		t.Skipf("no pseudo-terminal to be had here: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- pty.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return path
}

func openTTY(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// exchange sends one frame and returns the next that arrives.
func exchange(t *testing.T, f *os.File, request unpi.Frame) unpi.Frame {
	t.Helper()
	if _, err := f.Write(request.Append(nil)); err != nil {
		t.Fatal(err)
	}
	_ = f.SetReadDeadline(time.Now().Add(5 * time.Second))
	got, err := unpi.NewReader(f).Next()
	if err != nil {
		t.Fatalf("no answer on the device: %v", err)
	}
	return got
}

var ping = unpi.Frame{Type: unpi.SREQ, Subsystem: unpi.SYS, ID: 1}

func TestDeviceOutlivesItsClients(t *testing.T) {
	id := home
	d := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Image: znpsim.FormedImage(id)})
	t.Cleanup(func() { d.Medium().Close() })
	path := servePTY(t, d)
	for range 3 {
		f := openTTY(t, path)
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Fatalf("lock: %v", err)
		}
		if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCEXCL, 0); err != nil {
			t.Fatalf("exclusive: %v", err)
		}
		f.Close()
		f = openTTY(t, path)
		if got := exchange(t, f, ping); got.ID != 1 || got.Type != unpi.SRSP {
			t.Fatalf("ping answered with %v", got)
		}
		f.Close()
	}
}

// What a stick says while nobody listens is lost. The end of one client and the begin of
// the next are seen only when this process gets to look, so one try in five may be late.
func TestSpeakingToNobody(t *testing.T) {
	const tries = 5
	var got unpi.Frame
	for range tries {
		d := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Image: znpsim.FormedImage(home)})
		t.Cleanup(func() { d.Medium().Close() })
		path := servePTY(t, d)
		f := openTTY(t, path)
		exchange(t, f, unpi.Frame{Type: unpi.SREQ, Subsystem: unpi.ZDO, ID: 0x40, Data: []byte{0, 0}})
		f.Close()
		waitFor(t, "the stick on air without a host", func() bool { return d.State() == znpsim.StateCoordinator })
		f = openTTY(t, path)
		if got = exchange(t, f, ping); got.ID == 1 && got.Type == unpi.SRSP {
			return
		}
	}
	t.Errorf("what the stick said to nobody reached the next client %d times: %v", tries, got)
}

func TestUnplugTakesTheDeviceAway(t *testing.T) {
	d := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Hardware: zigbee.IEEE(7)})
	t.Cleanup(func() { d.Medium().Close() })
	path := servePTY(t, d)
	f := openTTY(t, path)
	exchange(t, f, ping)
	d.Unplug()
	_ = f.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := f.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read from an unplugged device: %v, want an end", err)
	}
	waitFor(t, "the device node gone", func() bool { _, err := os.Lstat(path); return os.IsNotExist(err) })
	d.Replug()
	waitFor(t, "the device node back", func() bool { _, err := os.Stat(path); return err == nil })
	f = openTTY(t, path)
	waitFor(t, "an answer", func() bool {
		_, _ = f.Write(ping.Append(nil))
		_ = f.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := io.ReadAtLeast(f, make([]byte, 7), 7)
		return n == 7 && err == nil
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
