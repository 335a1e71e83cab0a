package ending

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/probe"
)

// A Machine is where the processes are.
type Machine interface {
	// Users are those who hold port and who work on the directory dir.
	Users(port, dir string) (ports, dirs []helperapi.Holder, err error)
	Lives(pid int) bool
	// Supervised says that a supervisor started the process, which passes a TERM on when it
	// is asked to stop and starts again what ends before.
	Supervised(pid int) bool
	Terminate(pid int) error
	// Pin keeps the number of a process from coming to mean another one, until release.
	Pin(pid int) (kill func() error, release func(), err error)
	// Shell runs a line and gives its exit status when it has ended.
	Shell(line string) (<-chan int, error)
}

// Here is the machine that this program runs on.
type Here struct{}

// Users is probe.Users.
func (Here) Users(port, dir string) (ports, dirs []helperapi.Holder, err error) {
	return probe.Users(port, dir)
}

// Lives is probe.Lives.
func (Here) Lives(pid int) bool { return probe.Lives(pid) }

// Supervised knows OpenRC's supervisor, which may have started npm before.
func (Here) Supervised(pid int) bool { return probe.HasAncestor(pid, "supervise-daemon") }

// Terminate sends a TERM.
func (Here) Terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

// Pin holds on to the process itself, where the kernel can do that.
func (Here) Pin(pid int) (kill func() error, release func(), err error) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil, nil, err
	}
	return p.Kill, func() { _ = p.Release() }, nil
}

// Shell drops what the line prints: it must not keep our caller's connection open if it
// leaves somebody behind.
func (Here) Shell(line string) (<-chan int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", line}, &os.ProcAttr{Files: []*os.File{null, null, null}})
	if err != nil {
		return nil, err
	}
	ended := make(chan int, 1)
	go func() {
		status := 1
		if state, err := p.Wait(); err == nil {
			status = state.ExitCode()
		}
		ended <- status
	}()
	return ended, nil
}

// asked is a line of shell that runs, nil when there was none.
type asked struct {
	ended  <-chan int
	over   bool
	status int // once it is over
}

func (e *ending) shell(line string) (*asked, error) {
	if line == "" {
		return nil, nil
	}
	ended, err := e.on.Shell(line)
	if err != nil {
		return nil, fmt.Errorf("ask the service manager: %w", err)
	}
	return &asked{ended: ended}, nil
}

// failed says that the line has ended with an error.
func (a *asked) failed() bool {
	if a == nil {
		return false
	}
	select {
	case a.status = <-a.ended:
		a.over = true
	default:
	}
	return a.over && a.status != 0
}

// wait lets the line end. One that takes longer is left alone.
func (a *asked) wait(ctx context.Context, limit time.Duration) {
	if a == nil || a.over {
		return
	}
	select {
	case a.status = <-a.ended:
		a.over = true
	case <-ctx.Done():
	case <-time.After(limit):
	}
}
