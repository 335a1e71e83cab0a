package sshhost

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func (h *Host) accept() {
	for {
		c, err := h.listener.Accept()
		if err != nil {
			return
		}
		l := &link{Conn: c, gate: h.gate, gone: make(chan struct{})}
		if !h.admit(l) {
			l.Close()
			continue
		}
		h.work.Go(func() { h.serve(l) })
	}
}

func (h *Host) admit(l *link) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.accepted++
	h.links[l] = true
	return true
}

// serve talks SSH on one connection until it ends.
func (h *Host) serve(l *link) {
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.links, l)
	}()
	defer l.Close()
	conn, channels, requests, err := ssh.NewServerConn(l, h.serverConfig())
	if err != nil {
		return
	}
	h.work.Go(func() { ssh.DiscardRequests(requests) })
	for nc := range channels {
		if nc.ChannelType() != "session" {
			_ = nc.Reject(ssh.UnknownChannelType, "only sessions here")
			continue
		}
		ch, reqs, err := nc.Accept()
		if err != nil {
			break
		}
		h.work.Go(func() { h.session(l, ch, reqs) })
	}
	_ = conn.Wait()
}

func (h *Host) serverConfig() *ssh.ServerConfig {
	c := &ssh.ServerConfig{PublicKeyCallback: h.checkKey}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.AddHostKey(h.hostKey)
	return c
}

func (h *Host) checkKey(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse || h.user != "" && meta.User() != h.user || !h.authorized[string(key.Marshal())] {
		return nil, errors.New("key not authorised")
	}
	return nil, nil
}

// session serves the requests of one channel: one program, and signals for it.
func (h *Host) session(l net.Conn, ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	var p *process
	var inside *inside
	for r := range requests {
		var arg struct{ Value string }
		ok, then := false, func() {}
		switch {
		case r.Type == "exec" && h.runs != nil:
			if ok = inside == nil && ssh.Unmarshal(r.Payload, &arg) == nil; ok {
				inside = newInside(arg.Value)
				started := inside
				then = func() { h.runInside(l, ch, started) }
			}
		case r.Type == "signal" && inside != nil:
			ok, then = true, inside.interrupt
		case r.Type == "exec":
			if ok = p == nil && ssh.Unmarshal(r.Payload, &arg) == nil; ok {
				p = h.start(arg.Value)
				ok = p != nil
			}
			if ok {
				started := p
				then = func() { h.attend(l, ch, started, arg.Value) }
			}
		case r.Type == "subsystem":
			ok = ssh.Unmarshal(r.Payload, &arg) == nil && arg.Value == "sftp" && !h.noSFTP
			if ok {
				h.record("subsystem sftp")
				then = func() { h.serveFiles(ch) }
			}
		case r.Type == "signal":
			if ok = p != nil && ssh.Unmarshal(r.Payload, &arg) == nil; ok {
				p.signal(signals[ssh.Signal(arg.Value)])
			}
		}
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
		h.work.Go(then) // after the answer: a quick command would close the channel before it
	}
	if p != nil {
		p.hangUp()
	}
}

// An inside is a command that runs in this process.
type inside struct {
	ctx       context.Context
	interrupt context.CancelFunc
	line      string
}

func newInside(line string) *inside {
	i := &inside{line: line}
	i.ctx, i.interrupt = context.WithCancel(context.Background())
	return i
}

// runInside runs a command of Options.Run. It lives on when its connection is dropped.
func (h *Host) runInside(l net.Conn, ch ssh.Channel, i *inside) {
	h.record(i.line)
	var out io.Writer = ch
	if d := h.takeDrop(i.line); d != nil {
		out = &dropWriter{Writer: ch, link: l, after: []byte(d.output)}
		_, _ = out.Write(nil)
	}
	status := h.runs(i.ctx, i.line, Stdio{In: ch, Out: out, Err: ch.Stderr()})
	payload := ssh.Marshal(struct{ Status uint32 }{uint32(status)})
	_, _ = ch.SendRequest("exit-status", false, payload)
	_ = ch.Close()
	i.interrupt()
}

func (h *Host) serveFiles(ch ssh.Channel) {
	defer ch.Close()
	srv, err := sftp.NewServer(ch, sftp.WithServerWorkingDirectory(h.home))
	if err != nil {
		return
	}
	_ = srv.Serve()
	_ = srv.Close()
}

func (h *Host) record(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}
