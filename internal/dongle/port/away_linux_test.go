package port_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
)

// A bus is a sysfs with one stick behind a hub, and a tty that belongs to a real device
// file: the kernel follows its switch when it is told to.
type bus struct {
	root, usb, tty string
	port           string
}

func newBus(t *testing.T) *bus {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bus{root: dir, port: "/dev/null"} // any character device will do
	hub := filepath.Join(dir, "devices/pci0/usb1/1-2")
	b.usb = filepath.Join(hub, "1-2.4")
	face := filepath.Join(b.usb, "1-2.4:1.0")
	b.tty = filepath.Join(face, "ttyUSB0/tty/ttyUSB0")
	b.mkdir(t, b.tty)
	b.mkdir(t, filepath.Join(dir, "dev/char"))
	b.write(t, hub, map[string]string{"idVendor": "05e3", "idProduct": "0608", "bDeviceClass": "09", "authorized": "1"})
	b.write(t, b.usb, map[string]string{"idVendor": "10c4", "idProduct": "ea60", "bDeviceClass": "00", "authorized": "1", "product": "Stick", "serial": "0001"})
	b.write(t, face, map[string]string{"bInterfaceClass": "ff", "authorized": "1"}) // interfaces have that file too
	var st unix.Stat_t
	if err := unix.Stat(b.port, &st); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(b.tty, filepath.Join(dir, "dev/char/1:3")); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bus) mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func (b *bus) write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// follow lets the kernel do as the switch says, until the test ends.
func (b *bus) follow(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			text, _ := os.ReadFile(filepath.Join(b.usb, "authorized"))
			if strings.TrimSpace(string(text)) == "0" {
				_ = os.RemoveAll(filepath.Join(b.usb, "1-2.4:1.0"))
			} else {
				_ = os.MkdirAll(b.tty, 0o755)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

func (b *bus) switches(t *testing.T) string {
	t.Helper()
	var all []string
	for _, dir := range []string{filepath.Dir(b.usb), b.usb} {
		text, err := os.ReadFile(filepath.Join(dir, "authorized"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(string(text)))
	}
	return strings.Join(all, " ")
}

func TestAway(t *testing.T) {
	b := newBus(t)
	b.follow(t)
	a, err := port.FindAway(b.root, b.port)
	if err != nil || a.Name() != "1-2.4" || a.USB.Serial != "0001" {
		t.Fatalf("%+v, %v", a, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, away := range []bool{true, true, false, false, true} { // each can be repeated
		if err := a.Take(ctx, b.root, away); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "1 0", false: "1 1"}[away]; b.switches(t) != want || a.Gone(b.root) != away {
			t.Errorf("away %t: hub and stick %s, gone %t", away, b.switches(t), a.Gone(b.root))
		}
	}
}

func TestAwayIsNotBelievedWithoutTheKernel(t *testing.T) {
	b := newBus(t) // its tty stays
	a, err := port.FindAway(b.root, b.port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := a.Take(ctx, b.root, true); err == nil || !strings.Contains(err.Error(), "its tty did not follow") {
		t.Errorf("got %v", err)
	}
}

func TestAwayTouchesNothingElse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, b *bus)
		port   string
		want   string
	}{
		{"refuses a coordinator in the network", nil, "tcp://192.0.2.1:6638", "no USB device"},
		{"refuses what sysfs does not know", func(t *testing.T, b *bus) { _ = os.Remove(filepath.Join(b.root, "dev/char/1:3")) }, "", "sysfs does not know it"},
		{"refuses a serial port of the board", func(t *testing.T, b *bus) {
			tty := filepath.Join(b.root, "devices/platform/serial0/tty/ttyAMA0")
			b.mkdir(t, tty)
			_ = os.Remove(filepath.Join(b.root, "dev/char/1:3"))
			if err := os.Symlink(tty, filepath.Join(b.root, "dev/char/1:3")); err != nil {
				t.Fatal(err)
			}
		}, "", "it is no USB device"},
		{"refuses a hub", func(t *testing.T, b *bus) { b.write(t, b.usb, map[string]string{"bDeviceClass": "09"}) }, "", "1-2.4 is a hub"},
		{"refuses a device with another port", func(t *testing.T, b *bus) {
			b.mkdir(t, filepath.Join(b.usb, "1-2.4:1.1/ttyUSB1/tty/ttyUSB1"))
		}, "", "another port besides, ttyUSB1"},
		{"refuses a device with a disk", func(t *testing.T, b *bus) {
			disk := filepath.Join(b.usb, "1-2.4:1.1")
			b.mkdir(t, disk)
			b.write(t, disk, map[string]string{"bInterfaceClass": "08"})
		}, "", "more than a serial port"},
		{"refuses a device with others behind it", func(t *testing.T, b *bus) { b.mkdir(t, filepath.Join(b.usb, "1-2.4.1")) }, "", "another port besides, 1-2.4.1"},
		{"refuses a kernel without a switch", func(t *testing.T, b *bus) { _ = os.Remove(filepath.Join(b.usb, "authorized")) }, "", "no switch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBus(t)
			if tt.change != nil {
				tt.change(t, b)
			}
			if tt.port == "" {
				tt.port = b.port
			}
			_, err := port.FindAway(b.root, tt.port)
			if e := new(port.NotAloneError); !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAnotherDeviceInItsPlaceIsLeftAlone(t *testing.T) {
	b := newBus(t)
	b.follow(t)
	a, err := port.FindAway(b.root, b.port)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, b.usb, map[string]string{"serial": "0002"})
	if err := a.Take(t.Context(), b.root, true); err == nil || b.switches(t) != "1 1" {
		t.Errorf("%v, switches %s", err, b.switches(t))
	}
}
