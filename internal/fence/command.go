package fence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Command is a device that programs on this machine know how to switch. Lines are for
// /bin/sh and may hold secrets: only the name of the program is ever shown.
type Command struct {
	Run     string
	Confirm string // must end with exit code 0 and print what is expected
	Expect  Expectation
}

func (c *Command) String() string { return "the command " + program(c.Run) }

// program is the name of what a line runs, when that is a plain word. Where a value in
// quotes comes first, its words cannot be told from a program.
func program(line string) string {
	for _, w := range strings.Fields(line) {
		switch {
		case strings.ContainsAny(w, "\"'`\\$()"):
			return "of the configuration"
		case !strings.Contains(w, "="): // no variable of its environment
			return filepath.Base(w)
		}
	}
	return "of the configuration"
}

// Off runs the command.
func (c *Command) Off(ctx context.Context) error {
	_, err := sh(ctx, c.Run)
	return err
}

// State runs the confirmation.
func (c *Command) State(ctx context.Context) (bool, string, error) {
	answer, err := sh(ctx, c.Confirm)
	if err != nil {
		return false, "", err
	}
	return c.Expect.met(answer)
}

// Check runs the confirmation, whatever it prints, and looks whether the shell finds the
// command.
func (c *Command) Check(ctx context.Context) error {
	if name := strings.Fields(c.Run)[0]; strings.HasPrefix(name, "/") {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s cannot be run: %w", name, errors.Unwrap(err))
		}
	}
	_, _, err := c.State(ctx)
	return err
}

// sh runs a line in a process group of its own, which ends with ctx.
func sh(ctx context.Context, line string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout = &limited{&out}
	err := cmd.Run()
	switch exit := (*exec.ExitError)(nil); {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s does not end: %w", program(line), ctx.Err())
	case errors.As(err, &exit):
		return nil, fmt.Errorf("%s ends with %s", program(line), exit.ProcessState)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", program(line), err)
	}
	return out.Bytes(), nil
}

// limited takes no more than an answer may be long, and drops the rest.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := longestAnswer - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
