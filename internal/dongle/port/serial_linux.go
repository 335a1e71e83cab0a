package port

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A serialPort is a tty this process holds alone. Reads and writes go through Go's
// poller, so that Close wakes both.
type serialPort struct {
	tty   *os.File
	close sync.Once
	err   error
}

func openSerial(path string) (io.ReadWriteCloser, error) {
	if err := refuseHeld(path); err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := claim(path, fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &serialPort{tty: os.NewFile(uintptr(fd), path)}, nil
}

// claim makes the open device ours alone, then sets up the line.
func claim(path string, fd int) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return busy(path)
		}
		return fmt.Errorf("lock %s: %w", path, err)
	}
	if err := refuseHeld(path); err != nil {
		return err
	}
	if err := setLine(fd); err != nil {
		return fmt.Errorf("set up %s: %w; is it a serial port?", path, err)
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("claim %s for this program alone: %w", path, err)
	}
	if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return fmt.Errorf("discard old input of %s: %w", path, err)
	}
	return nil
}

// setLine sets 115200 baud, 8N1, raw, no flow control, and leaves DTR and RTS alone: in
// two steps, as go.bug.st/serial does it, whose way many drivers have met.
func setLine(fd int) error {
	for _, set := range []func(*unix.Termios){setRaw, setMode} {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		set(t)
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
			return err
		}
	}
	return nil
}

func setRaw(t *unix.Termios) {
	t.Cflag |= unix.CREAD | unix.CLOCAL
	t.Cflag &^= unix.CRTSCTS
	t.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL | unix.ECHOCTL | unix.ECHOPRT |
		unix.ECHOKE | unix.ISIG | unix.IEXTEN
	t.Iflag &^= unix.IXON | unix.IXOFF | unix.IXANY | unix.INPCK | unix.IGNPAR | unix.PARMRK | unix.ISTRIP |
		unix.IGNBRK | unix.BRKINT | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IUCLC
	t.Oflag &^= unix.OPOST
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

func setMode(t *unix.Termios) {
	t.Cflag &^= unix.CBAUD | unix.CSIZE | unix.CSTOPB | unix.PARENB | unix.PARODD | unix.CMSPAR
	t.Cflag |= unix.B115200 | unix.CS8
	t.Ispeed, t.Ospeed = unix.B115200, unix.B115200
}

func (p *serialPort) Read(b []byte) (int, error)  { return p.tty.Read(b) }
func (p *serialPort) Write(b []byte) (int, error) { return p.tty.Write(b) }

// Close gives the device back. A pseudo terminal outlives it, so TIOCEXCL is taken back
// by hand; the lock goes with the descriptor.
func (p *serialPort) Close() error {
	p.close.Do(func() {
		if raw, err := p.tty.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TIOCNXCL, 0) })
		}
		p.err = p.tty.Close()
	})
	return p.err
}

// refuseHeld returns a *BusyError when another process has the device open.
func refuseHeld(path string) error {
	holders, err := findHolders(path, os.Getpid())
	if len(holders) > 0 {
		return &BusyError{Path: path, Holders: holders}
	}
	if errors.Is(err, ErrIncomplete) {
		return nil // the lock decides
	}
	return err
}

func busy(path string) error {
	holders, _ := findHolders(path, os.Getpid())
	return &BusyError{Path: path, Holders: holders}
}
