package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Conn is the connection to one host. It is made by the first call that needs
// it and made again when it is found dead. All methods may be called at once.
type Conn struct {
	cfg     Config
	dialing chan struct{} // holds a token while nobody dials

	mu      sync.Mutex
	current *link // nil before the first use
	number  int   // of current; the first is 1
	closed  bool
}

// New checks cfg. It does not connect.
func New(cfg Config) (*Conn, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Conn{cfg: cfg, dialing: make(chan struct{}, 1)}
	c.dialing <- struct{}{}
	return c, nil
}

// Address is host:port.
func (c *Conn) Address() string { return c.cfg.Address }

// User is the login on the host.
func (c *Conn) User() string { return c.cfg.User }

// Become is how commands become root here.
func (c *Conn) Become() Become { return c.cfg.Become }

// Connect connects unless that is done, and returns the number of the connection,
// which grows with each new one: what was checked over an older one may have
// changed. Errors are *UnreachableError, *HostKeyChangedError, *AuthError or
// ErrClosed.
func (c *Conn) Connect(ctx context.Context) (int, error) {
	_, number, err := c.link(ctx)
	return number, err
}

// Close ends the connection and waits for what used it.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	l := c.current
	c.mu.Unlock()
	if l != nil {
		l.end(ErrClosed)
		l.work.Wait()
	}
	return nil
}

// link returns the living connection, dialling when there is none.
func (c *Conn) link(ctx context.Context) (*link, int, error) {
	select {
	case <-c.dialing:
	case <-ctx.Done():
		return nil, 0, &UnreachableError{Host: c.cfg.Address, Cause: ctx.Err()}
	}
	defer func() { c.dialing <- struct{}{} }()
	if l, number, err := c.alive(); l != nil || err != nil {
		return l, number, err
	}
	l, err := c.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	return c.adopt(l)
}

func (c *Conn) alive() (*link, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, 0, ErrClosed
	case c.current == nil || c.current.isDead():
		return nil, 0, nil
	}
	return c.current, c.number, nil
}

func (c *Conn) adopt(l *link) (*link, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.end(ErrClosed)
		return nil, 0, ErrClosed
	}
	c.current = l
	c.number++
	c.cfg.Log.Info("ssh connected", "host", c.cfg.Address, "connection", c.number)
	return l, c.number, nil
}

func (c *Conn) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	raw, err := c.cfg.Dial(ctx, "tcp", c.cfg.Address)
	if err != nil {
		return nil, &UnreachableError{Host: c.cfg.Address, Cause: plainDialError(ctx, err, c.cfg.ConnectTimeout)}
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	client, err := c.handshake(raw)
	if err == nil && !stop() {
		client.Close()
		err = ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, c.handshakeError(ctx, err)
	}
	l := &link{client: client, dead: make(chan struct{})}
	l.work.Go(l.watch)
	l.work.Go(func() { l.keepAlive(c.cfg.KeepAlive, c.cfg.Patience) })
	return l, nil
}

func (c *Conn) handshake(raw net.Conn) (*ssh.Client, error) {
	pinned := pins{file: c.cfg.KnownHosts}
	algorithms, err := pinned.algorithms(c.cfg.Address, raw.RemoteAddr(), c.cfg.Signer.PublicKey())
	if err != nil {
		return nil, err
	}
	conn, channels, requests, err := ssh.NewClientConn(raw, c.cfg.Address, &ssh.ClientConfig{
		User:              c.cfg.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(c.cfg.Signer)},
		HostKeyCallback:   pinned.check,
		HostKeyAlgorithms: algorithms,
	})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// handshakeError tells the three ways apart in which a person must act.
func (c *Conn) handshakeError(ctx context.Context, err error) error {
	var changed *HostKeyChangedError
	if errors.As(err, &changed) {
		return changed
	}
	// The library has no type for this error on the client's side.
	if strings.Contains(err.Error(), "unable to authenticate") {
		return &AuthError{Host: c.cfg.Address, User: c.cfg.User, PublicKey: publicLine(c.cfg.Signer)}
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no ssh handshake within %s: %w", c.cfg.ConnectTimeout, ctx.Err())
	}
	return &UnreachableError{Host: c.cfg.Address, Cause: err}
}

func plainDialError(ctx context.Context, err error, timeout time.Duration) error {
	switch {
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer within %s: %w", timeout, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there (is sshd running, is the port right?): %w", err)
	}
	return err
}

// A link is one established connection.
type link struct {
	client *ssh.Client
	work   sync.WaitGroup // everything that uses client

	once  sync.Once
	dead  chan struct{}
	cause error // why it is dead; read after dead is closed
}

func (l *link) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// end closes the connection; only the first cause counts.
func (l *link) end(cause error) {
	l.once.Do(func() {
		l.cause = cause
		close(l.dead)
		l.client.Close()
	})
}

func (l *link) watch() {
	err := l.client.Wait()
	if err == nil {
		err = errors.New("connection closed by the host")
	}
	l.end(fmt.Errorf("connection lost: %w", err))
}

// keepAlive asks the host, every so often, for any answer at all. A half-open
// connection gives none: nobody has told us that it is gone.
func (l *link) keepAlive(every, patience time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.dead:
			return
		case <-tick.C:
		}
		if !l.answers(patience) {
			l.end(fmt.Errorf("connection lost: no answer to keep-alive within %s", patience))
			return
		}
	}
}

func (l *link) answers(patience time.Duration) bool {
	answered := make(chan bool, 1)
	l.work.Go(func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err == nil
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case ok := <-answered:
		return ok
	case <-timer.C:
		return false
	case <-l.dead:
		return false
	}
}
