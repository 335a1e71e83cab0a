package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	stdoutLimit = 16 << 20 // a manifest of 50,000 files
	stderrLimit = 64 << 10
)

// A Command is a program with its arguments, or a line of shell.
type Command struct {
	Argv   []string
	Shell  string    // instead of Argv: a line for /bin/sh
	Become bool      // run it as root, in the way the host is configured for
	Stdin  io.Reader // nil: empty
	// Hold keeps standard input open, and empty, as long as the command runs. A
	// program that reads it sees the end when the connection is lost.
	Hold   bool
	Stdout io.Writer // takes standard output, which is kept in the Output otherwise
	// Connection, unless zero, is the only one that the command may run over, by its
	// number: what was checked over it may have changed since. See ErrReconnected.
	Connection int
	OnLine     func([]byte)  // called for each line of standard output as it comes
	Timeout    time.Duration // zero: the connection's CommandTimeout
}

// Line is the command line as it is sent to the host.
func (c Command) Line(b Become) string {
	line := QuoteAll(c.Argv)
	if c.Shell != "" {
		line = c.Shell
	}
	if !c.Become || b.prefix() == "" {
		return line
	}
	if c.Shell != "" {
		line = "/bin/sh -c " + Quote(c.Shell)
	}
	return b.prefix() + line
}

// An Output is what a command left behind.
type Output struct {
	Stdout []byte
	Stderr []byte // the first 64 KiB
	Exit   int
}

// Said is the last line of standard error, for people.
func (o Output) Said() string {
	text := strings.TrimSpace(string(o.Stderr))
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text
}

// Run runs cmd to its end. An exit status other than 0 is not an error here.
//
// Errors are those of Connect, *BecomeError when it was not run for want of rights,
// and *DeadlineError or *LostError, which wrap ErrOutcomeUnknown. When ctx ends the
// command is sent TERM and its session closed; that it obeys is not waited for.
// OpenSSH passes no signal on to a login as root, nor to what sudo started; the end
// of a held standard input reaches those too.
func (c *Conn) Run(ctx context.Context, cmd Command) (Output, error) {
	orDefault(&cmd.Timeout, c.cfg.CommandTimeout)
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	e := &execution{host: c.cfg.Address, cmd: cmd, line: cmd.Line(c.cfg.Become)}
	s, err := c.session(ctx, cmd.Connection)
	if err != nil {
		return Output{}, fmt.Errorf("run %q: %w", e.line, err)
	}
	out, err := e.run(ctx, s)
	if err != nil {
		return out, err
	}
	if said := c.cfg.Become.refused(out); cmd.Become && said != "" {
		return out, &BecomeError{Host: c.cfg.Address, User: c.cfg.User, Become: c.cfg.Become, Said: said}
	}
	return out, nil
}

// Check is Run for a command of which status 0 is expected: any other is an
// *ExitError.
func (c *Conn) Check(ctx context.Context, cmd Command) (Output, error) {
	out, err := c.Run(ctx, cmd)
	if err == nil && out.Exit != 0 {
		err = &ExitError{Host: c.cfg.Address, Command: cmd.Line(c.cfg.Become), Exit: out.Exit, Said: out.Said()}
	}
	return out, err
}

// A session is a channel for one program, and the link it belongs to.
type session struct {
	*ssh.Session
	link *link
}

// session opens a channel, over the connection of that number unless it is zero. A
// connection that turns out to be dead is replaced once: nothing has been asked for over
// it yet.
func (c *Conn) session(ctx context.Context, number int) (session, error) {
	l, err := c.linkOf(ctx, number)
	if err != nil {
		return session{}, err
	}
	s, err := l.open(ctx)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	c.cfg.Log.Info("ssh connection found dead", "host", c.cfg.Address, "err", err)
	l.end(err)
	if l, err = c.linkOf(ctx, number); err != nil {
		return session{}, err
	}
	return l.open(ctx)
}

// linkOf is the living connection, if it has that number.
func (c *Conn) linkOf(ctx context.Context, number int) (*link, error) {
	l, n, err := c.link(ctx)
	if err == nil && number != 0 && n != number {
		err = ErrReconnected
	}
	return l, err
}

// open asks for a channel and gives up with ctx; a channel that comes later is
// closed.
func (l *link) open(ctx context.Context) (session, error) {
	type answer struct {
		s   *ssh.Session
		err error
	}
	answered := make(chan answer)
	l.work.Go(func() {
		s, err := l.client.NewSession()
		select {
		case answered <- answer{s, err}:
		case <-ctx.Done():
			if err == nil {
				s.Close()
			}
		}
	})
	select {
	case a := <-answered:
		return session{a.s, l}, a.err
	case <-ctx.Done():
		return session{}, ctx.Err()
	}
}

// An execution is one command under way.
type execution struct {
	host   string
	cmd    Command
	line   string
	stdout capture
	stderr capture
}

func (e *execution) run(ctx context.Context, s session) (Output, error) {
	e.stdout.limit, e.stdout.onLine, e.stdout.onFull = stdoutLimit, e.cmd.OnLine, func() { s.Close() }
	e.stderr.limit = stderrLimit
	s.Stdout, s.Stderr = &e.stdout, &e.stderr
	if e.cmd.Stdout != nil {
		s.Stdout = e.cmd.Stdout
	}
	done := make(chan error, 1)
	s.link.work.Go(func() { done <- e.perform(s) })
	select {
	case err := <-done:
		return e.ended(s, err)
	case <-ctx.Done():
		s.link.work.Go(func() {
			_ = s.Signal(ssh.SIGTERM)
			_ = s.Close()
		})
		return e.output(0), e.givenUp(ctx)
	}
}

// perform starts the command, feeds it and waits for its end.
func (e *execution) perform(s session) error {
	defer s.Close()
	stdin, err := s.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.Start(e.line); err != nil {
		return err
	}
	s.link.work.Go(func() {
		if e.cmd.Stdin != nil {
			_, _ = io.Copy(stdin, e.cmd.Stdin)
		}
		if !e.cmd.Hold {
			_ = stdin.Close()
		}
	})
	return s.Wait()
}

func (e *execution) ended(s session, err error) (Output, error) {
	var exit *ssh.ExitError
	switch {
	case e.stdout.isFull():
		return e.output(0), fmt.Errorf("%s: %q: %w", e.host, e.line, errTooMuch)
	case err == nil:
		return e.output(0), nil
	case errors.As(err, &exit):
		return e.output(exit.ExitStatus()), nil
	}
	if s.link.isDead() {
		err = s.link.cause
	}
	return e.output(0), &LostError{Host: e.host, Command: e.line, Cause: err}
}

func (e *execution) givenUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &DeadlineError{Host: e.host, Command: e.line, After: e.cmd.Timeout, cause: ctx.Err()}
	}
	return &LostError{Host: e.host, Command: e.line, Cause: context.Cause(ctx)}
}

func (e *execution) output(exit int) Output {
	return Output{Stdout: e.stdout.bytes(), Stderr: e.stderr.bytes(), Exit: exit}
}

var errTooMuch = fmt.Errorf("it wrote more than %d MiB and was cut off", stdoutLimit>>20)

// A capture keeps what is written to it, up to its limit.
type capture struct {
	limit  int
	onLine func([]byte)
	onFull func() // nil: what is beyond the limit is dropped

	mu   sync.Mutex
	kept []byte
	told int // bytes of kept already passed to onLine
	full bool
}

func (c *capture) Write(p []byte) (int, error) {
	lines := c.keep(p)
	for _, line := range lines {
		c.onLine(line)
	}
	if c.onFull != nil && c.isFull() {
		c.onFull()
	}
	return len(p), nil
}

// keep appends p and returns the lines that it completes.
func (c *capture) keep(p []byte) (lines [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := c.limit - len(c.kept); len(p) > room {
		p, c.full = p[:room], true
	}
	c.kept = append(c.kept, p...)
	for c.onLine != nil {
		i := bytes.IndexByte(c.kept[c.told:], '\n')
		if i < 0 {
			break
		}
		lines = append(lines, bytes.Clone(c.kept[c.told:c.told+i]))
		c.told += i + 1
	}
	return lines
}

func (c *capture) isFull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.full
}

func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.kept)
}
