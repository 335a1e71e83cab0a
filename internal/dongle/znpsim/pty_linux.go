package znpsim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A PTY is a stick's serial device: LinkPath is a symbolic link to /dev/pts/N, as
// /dev/serial/by-id has them. It outlives the clients that open it, who may lock it
// (flock, TIOCEXCL) like a real one. While the stick is unplugged the link is gone.
type PTY struct {
	LinkPath string

	d    *Dongle
	pair *ptyPair
}

// OpenPTY makes the device; it is there on return and answers once Serve runs. A
// link that is in the way is replaced, anything else is an error.
func (d *Dongle) OpenPTY(linkPath string) (*PTY, error) {
	p := &PTY{LinkPath: linkPath, d: d}
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("device of stick %s: %w", d.o.Name, err)
	}
	return p, nil
}

// ServePTY is OpenPTY and Serve in one.
func (d *Dongle) ServePTY(ctx context.Context, linkPath string) error {
	p, err := d.OpenPTY(linkPath)
	if err != nil {
		return err
	}
	return p.Serve(ctx)
}

// Serve answers whoever opens the device, until ctx ends; then the device is gone.
func (p *PTY) Serve(ctx context.Context) error {
	defer p.close()
	for ctx.Err() == nil {
		if p.pair == nil && p.d.Plugged() {
			if err := p.open(); err != nil {
				return fmt.Errorf("device of stick %s: %w", p.d.o.Name, err)
			}
		}
		if p.pair == nil {
			wait(ctx, 20*time.Millisecond)
			continue
		}
		if err := p.d.Serve(ctx, p.pair); err != nil && !errors.Is(err, ErrUnplugged) {
			return err
		}
		p.close()
	}
	return nil
}

func (p *PTY) open() error {
	pair, err := openPair(p.d.link.flush)
	if err != nil {
		return err
	}
	if err := replaceLink(pair.name, p.LinkPath); err != nil {
		return errors.Join(err, pair.Close())
	}
	p.pair = pair
	return nil
}

// close takes the device away; its link only if it is still ours.
func (p *PTY) close() {
	if p.pair == nil {
		return
	}
	if to, err := os.Readlink(p.LinkPath); err == nil && to == p.pair.name {
		_ = os.Remove(p.LinkPath)
	}
	_ = p.pair.Close()
	p.pair = nil
}

func replaceLink(target, path string) error {
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode()&os.ModeSymlink == 0 {
			return fmt.Errorf("%s exists and is not a link", path)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Symlink(target, path)
}

// openMaster opens a new pseudo-terminal and returns its master and slave path.
func openMaster() (*os.File, string, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open /dev/ptmx: %w", err)
	}
	f := os.NewFile(uintptr(fd), "/dev/ptmx")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("new pseudo-terminal: %w", err), f.Close())
	}
	return f, fmt.Sprintf("/dev/pts/%d", n), nil
}

// makeRaw turns echo, line editing and translation off.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
