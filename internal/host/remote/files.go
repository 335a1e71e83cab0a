package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/pkg/sftp"
)

// Files is an SFTP session. Close it before the Conn.
type Files struct {
	*sftp.Client
	stream *stream
	stop   func() bool
}

// A stream carries a session's bytes and can be cut at once: closing a session
// alone waits for a host that may be gone.
type stream struct {
	session  session
	fromHost *io.PipeReader
	toHost   *io.PipeWriter
	cut      func(error)
}

func newStream(s session) (*stream, error) {
	w, err := s.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	fromHost, in := io.Pipe()
	out, toHost := io.Pipe()
	s.link.work.Go(func() { _, err := io.Copy(in, r); in.CloseWithError(err) })
	s.link.work.Go(func() { _, err := io.Copy(w, out); out.CloseWithError(err); w.Close() })
	cut := func(err error) {
		in.CloseWithError(err)
		out.CloseWithError(err)
		s.link.work.Go(func() { s.Close() })
	}
	return &stream{session: s, fromHost: fromHost, toHost: toHost, cut: cut}, nil
}

// SFTP opens a file session: with the host's own server, or, when argv is given,
// with that program run under the host's become. The session ends with ctx.
// ErrNoSFTP: the host has no server of its own.
func (c *Conn) SFTP(ctx context.Context, argv []string) (*Files, error) {
	opening, cancel := context.WithTimeout(ctx, c.cfg.CommandTimeout)
	defer cancel()
	s, err := c.session(opening, 0)
	if err != nil {
		return nil, fmt.Errorf("open sftp session: %w", err)
	}
	t, err := newStream(s)
	if err != nil {
		return nil, err
	}
	giveUp := context.AfterFunc(opening, func() { t.cut(opening.Err()) })
	client, err := c.startSFTP(t, argv)
	if !giveUp() && err == nil {
		client.Close()
		err = opening.Err()
	}
	if err != nil {
		t.cut(err)
		return nil, err
	}
	f := &Files{Client: client, stream: t}
	f.stop = context.AfterFunc(ctx, func() { t.cut(ctx.Err()) })
	return f, nil
}

// SFTPCommand is the command that SFTP runs for argv.
func SFTPCommand(argv []string) Command { return Command{Argv: argv, Become: true} }

func (c *Conn) startSFTP(t *stream, argv []string) (*sftp.Client, error) {
	stderr := &capture{limit: stderrLimit}
	t.session.Stderr = stderr
	if len(argv) == 0 {
		return c.hostsOwnSFTP(t)
	}
	if err := t.session.Start(SFTPCommand(argv).Line(c.cfg.Become)); err != nil {
		return nil, err
	}
	client, err := sftp.NewClientPipe(t.fromHost, t.toHost)
	if err != nil {
		return nil, c.sftpRefused(t.session, stderr, argv, err)
	}
	return client, nil
}

func (c *Conn) hostsOwnSFTP(t *stream) (*sftp.Client, error) {
	if err := t.session.RequestSubsystem("sftp"); err != nil {
		return nil, fmt.Errorf("%s: %w", c.cfg.Address, ErrNoSFTP)
	}
	client, err := sftp.NewClientPipe(t.fromHost, t.toHost)
	if err != nil && !t.session.link.isDead() { // configured, but the program is missing
		err = fmt.Errorf("%s: %w (%w)", c.cfg.Address, ErrNoSFTP, err)
	}
	return client, err
}

// sftpRefused finds out why the program that should serve files does not.
func (c *Conn) sftpRefused(s session, stderr *capture, argv []string, err error) error {
	_ = s.Close()
	_ = s.Wait() // for the rest of standard error
	out := Output{Stderr: stderr.bytes(), Exit: 1}
	if said := c.cfg.Become.refused(out); said != "" {
		return &BecomeError{Host: c.cfg.Address, User: c.cfg.User, Become: c.cfg.Become, Said: said}
	}
	return fmt.Errorf("%s: %q serves no files: %w: %s",
		c.cfg.Address, SFTPCommand(argv).Line(c.cfg.Become), err, out.Said())
}

// Close ends the session.
func (f *Files) Close() error {
	f.stop()
	err := f.Client.Close()
	f.stream.cut(io.EOF)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// Upload writes content to the existing or new file path with the user's own
// rights: over SFTP or, on a host without, through a shell. The caller checks what
// arrived.
func (c *Conn) Upload(ctx context.Context, path string, content []byte, mode fs.FileMode) error {
	f, err := c.SFTP(ctx, nil)
	if errors.Is(err, ErrNoSFTP) {
		_, err := c.Check(ctx, UploadCommand(path, content, mode))
		return err
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.put(path, content, mode); err != nil {
		return fmt.Errorf("upload %s to %s: %w", path, c.cfg.Address, err)
	}
	return nil
}

// UploadCommand is how Upload writes a file on a host without SFTP.
func UploadCommand(path string, content []byte, mode fs.FileMode) Command {
	return Command{
		Shell: fmt.Sprintf("cat > %s && chmod %04o %[1]s", Quote(path), mode),
		Stdin: bytes.NewReader(content),
	}
}

func (f *Files) put(path string, content []byte, mode fs.FileMode) error {
	w, err := f.Create(path)
	if err != nil {
		return err
	}
	_, err = w.ReadFrom(bytes.NewReader(content))
	return errors.Join(err, w.Chmod(mode), w.Close())
}
