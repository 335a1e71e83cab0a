package port_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
)

func open(t *testing.T, address string) io.ReadWriteCloser {
	t.Helper()
	p, err := port.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestSerial(t *testing.T) {
	t.Run("it carries every byte unchanged, both ways", func(t *testing.T) {
		master, path := openPTY(t)
		p := open(t, path)
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for _, way := range []struct{ from, to io.ReadWriter }{{master, p}, {p, master}} {
			if _, err := way.from.Write(all); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(all))
			if _, err := io.ReadFull(way.to, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(all, got); diff != "" {
				t.Error(diff)
			}
		}
	})
	t.Run("it runs at 115200 baud, 8N1, raw, without flow control", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root may look at a tty that is claimed")
		}
		_, path := openPTY(t)
		open(t, path)
		s := settings(t, path)
		if got := s.Cflag & unix.CBAUD; got != unix.B115200 {
			t.Errorf("speed code %#x", got)
		}
		if got := s.Cflag & (unix.CSIZE | unix.CSTOPB | unix.PARENB | unix.CRTSCTS); got != unix.CS8 {
			t.Errorf("control flags %#x", got)
		}
		if got := s.Lflag & (unix.ICANON | unix.ECHO | unix.ISIG); got != 0 {
			t.Errorf("local flags %#x", got)
		}
		if got := s.Iflag & (unix.IXON | unix.IXOFF | unix.ICRNL); got != 0 {
			t.Errorf("input flags %#x", got)
		}
	})
	t.Run("it drops what arrived before", func(t *testing.T) {
		master, path := openPTY(t)
		if _, err := master.WriteString("old\n"); err != nil {
			t.Fatal(err)
		}
		p := open(t, path)
		if _, err := master.WriteString("new"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 3)
		if _, err := io.ReadFull(p, got); err != nil || string(got) != "new" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("closing wakes a reader and a writer, and may be repeated", func(t *testing.T) {
		_, path := openPTY(t)
		p := open(t, path)
		done := make(chan struct{}, 2)
		go func() {
			_, _ = p.Read(make([]byte, 1))
			done <- struct{}{}
		}()
		go func() {
			for { // nobody reads: the tty's buffer fills
				if _, err := p.Write(make([]byte, 4096)); err != nil {
					done <- struct{}{}
					return
				}
			}
		}()
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		soon(t, done, "the first still waits")
		soon(t, done, "the second still waits")
	})
	t.Run("a reader ends when the other side does", func(t *testing.T) {
		master, path := openPTY(t)
		p := open(t, path)
		_ = master.Close()
		if _, err := p.Read(make([]byte, 1)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("it can be opened again after it was closed", func(t *testing.T) {
		_, path := openPTY(t)
		for range 3 {
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("it is refused a second time in the same program", func(t *testing.T) {
		_, path := openPTY(t)
		open(t, path)
		_, err := port.Open(t.Context(), path)
		var busy *port.BusyError
		if !errors.As(err, &busy) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBusy(t *testing.T) {
	tests := []struct {
		role   string
		locked bool
	}{
		{"plain", false},
		{"flock", true},
		{"port", true},
	}
	for _, test := range tests {
		t.Run("it names the holder: "+test.role, func(t *testing.T) {
			_, path := openPTY(t)
			link := filepath.Join(t.TempDir(), "stick")
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			pid, end := startHolder(t, test.role, path)
			want := []port.Holder{{PID: pid, Command: self(), Locked: test.locked}}

			got, err := port.Holders(link)
			if err != nil && !errors.Is(err, port.ErrIncomplete) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("holders: %s", diff)
			}
			_, err = port.Open(t.Context(), link)
			var busy *port.BusyError
			if !errors.As(err, &busy) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(&port.BusyError{Path: link, Holders: want}, busy); diff != "" {
				t.Errorf("refusal: %s", diff)
			}
			if !strings.Contains(err.Error(), self()+" (pid ") {
				t.Errorf("the text names nobody: %v", err)
			}
			end()
			open(t, link)
		})
	}
	t.Run("a refusal leaves the owner's line settings alone", func(t *testing.T) {
		_, path := openPTY(t)
		startHolder(t, "plain", path)
		before := settings(t, path)
		if _, err := port.Open(t.Context(), path); err == nil {
			t.Fatal("not refused")
		}
		if diff := cmp.Diff(before, settings(t, path)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("somebody who comes later is locked out", func(t *testing.T) {
		_, path := openPTY(t)
		open(t, path)
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			return // TIOCEXCL keeps out everybody but root
		}
		defer unix.Close(fd)
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			t.Errorf("the lock was given: %v", err)
		}
	})
	t.Run("nobody holds a free device, and this program is a holder as well", func(t *testing.T) {
		_, path := openPTY(t)
		if got, _ := port.Holders(path); len(got) > 0 {
			t.Errorf("got %v", got)
		}
		open(t, path)
		got, _ := port.Holders(path)
		if len(got) != 1 || got[0].PID != os.Getpid() || !got[0].Locked {
			t.Errorf("got %v", got)
		}
	})
}

// As a user without rights: the file system and /proc go by the thread's fsuid.
func TestWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become nobody")
	}
	_, path := openPTY(t)
	pid, _ := startHolder(t, "flock", path)
	asNobody(t, func() {
		got, err := port.Holders(path)
		if !errors.Is(err, port.ErrIncomplete) {
			t.Errorf("holders: got %v", err)
		}
		if diff := cmp.Diff([]port.Holder{{PID: pid, Command: self(), Locked: true}}, got); diff != "" {
			t.Errorf("the lock gives the holder away: %s", diff)
		}
	})
	_, free := openPTY(t)
	asNobody(t, func() {
		_, err := port.Open(t.Context(), free)
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "become: sudo") {
			t.Errorf("open: got %v", err)
		}
	})
}

// asNobody runs do on a thread of its own without root's rights, which ends with it.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			t.Error(err)
			return
		}
		do()
	}()
	soon(t, done, "it hangs")
}

func TestUnusablePaths(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, address, want string
		is                  error
	}{
		{"it says what is there instead of a missing device", "/dev/nosuchtty", "there is no /dev/nosuchtty", os.ErrNotExist},
		{"it refuses a file", file, "not a character device", nil},
		{"it refuses a folder", t.TempDir(), "not a character device", nil},
		{"it refuses a device that is no tty", "/dev/full", "is it a serial port?", nil},
		{"it refuses an unknown kind of address", "mdns://slzb-06", "neither a device path", nil},
		{"it refuses an empty address", "", "neither a device path", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := port.Open(t.Context(), test.address)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
}
