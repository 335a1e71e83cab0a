package ending

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// asked is a line of shell that runs, nil when there was none.
type asked struct {
	process *os.Process
	ended   chan struct{}
	status  int // once ended
}

// ask starts a line of shell. What it prints is dropped: it must not keep our caller's
// connection open if it leaves somebody behind.
func ask(line string) (*asked, error) {
	if line == "" {
		return nil, nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", line}, &os.ProcAttr{Files: []*os.File{null, null, null}})
	if err != nil {
		return nil, fmt.Errorf("ask the service manager: %w", err)
	}
	a := &asked{process: p, ended: make(chan struct{})}
	go func() {
		defer close(a.ended)
		a.status = 1
		if state, err := p.Wait(); err == nil {
			a.status = state.ExitCode()
		}
	}()
	return a, nil
}

// failed says that the line has ended with an error.
func (a *asked) failed() bool {
	if a == nil {
		return false
	}
	select {
	case <-a.ended:
		return a.status != 0
	default:
		return false
	}
}

// wait lets the line end. One that takes longer is left alone.
func (a *asked) wait(ctx context.Context, limit time.Duration) {
	if a == nil {
		return
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
	case <-time.After(limit):
	}
}

func signal(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }
