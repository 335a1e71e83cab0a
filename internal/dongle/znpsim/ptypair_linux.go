package znpsim

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A ptyPair is an open pseudo-terminal. The slave is not kept open: who asks which
// programs use the device must not be told this one. While nobody has it open,
// reading from the master fails with EIO and poll tells POLLHUP; that is how clients
// are seen to come and go. What would go out in the meantime is lost, as on a USB
// stick.
type ptyPair struct {
	name   string
	master *os.File
	left   func() // called when the last client has closed
}

// clientPoll is how often an idle device looks whether somebody has opened it.
const clientPoll = 5 * time.Millisecond

func openPair(left func()) (*ptyPair, error) {
	master, name, err := openMaster()
	if err != nil {
		return nil, err
	}
	p := &ptyPair{name: name, master: master, left: left}
	if err := p.tidy(); err != nil {
		return nil, errors.Join(fmt.Errorf("pseudo-terminal %s: %w", name, err), master.Close())
	}
	return p, nil
}

// tidy puts the device into the state that a client expects: nothing buffered, not
// exclusive, raw. It fails with EBUSY, unless for root, when a client that was killed
// left it exclusive; then only another pseudo-terminal helps.
func (p *ptyPair) tidy() error {
	slave, err := os.OpenFile(p.name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	fd := int(slave.Fd())
	return errors.Join(
		unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH),
		unix.IoctlSetInt(fd, unix.TIOCNXCL, 0),
		makeRaw(fd),
		slave.Close(),
	)
}

// occupied says that somebody has the device open.
func (p *ptyPair) occupied() (bool, error) {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return false, err
	}
	polled := []unix.PollFd{{Events: unix.POLLIN}}
	err = raw.Control(func(fd uintptr) {
		polled[0].Fd = int32(fd)
		_, _ = unix.Poll(polled, 0) // a failure leaves "nobody hung up"
	})
	return polled[0].Revents&unix.POLLHUP == 0, err
}

// Read waits for bytes from whoever has the device open, and for somebody to open it.
// It fails when the pair is closed or cannot be used by a next client.
func (p *ptyPair) Read(b []byte) (int, error) {
	for {
		n, err := p.master.Read(b)
		if !errors.Is(err, unix.EIO) {
			return n, err
		}
		p.left()
		if err := p.tidy(); err != nil {
			return 0, err
		}
		if err := p.awaitClient(); err != nil {
			return 0, err
		}
	}
}

func (p *ptyPair) awaitClient() error {
	tick := time.NewTicker(clientPoll)
	defer tick.Stop()
	for {
		if there, err := p.occupied(); there || err != nil {
			return err
		}
		<-tick.C
	}
}

// Write loses b when no client is there, or none reads for a second.
func (p *ptyPair) Write(b []byte) (int, error) {
	if there, err := p.occupied(); err != nil || !there {
		return len(b), err
	}
	_ = p.master.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := p.master.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return len(b), nil
	}
	return n, err
}

// Close takes the device away; clients that have it open get an error.
func (p *ptyPair) Close() error {
	err := p.master.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
