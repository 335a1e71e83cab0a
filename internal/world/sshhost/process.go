package sshhost

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

var signals = map[ssh.Signal]syscall.Signal{
	ssh.SIGHUP:  syscall.SIGHUP,
	ssh.SIGINT:  syscall.SIGINT,
	ssh.SIGKILL: syscall.SIGKILL,
	ssh.SIGTERM: syscall.SIGTERM,
}

// A process is a command with the ends of its pipes that the server holds.
type process struct {
	cmd            *exec.Cmd
	stdin          *os.File // written by the server
	stdout, stderr *os.File // read by the server
	inChild        [3]*os.File
	once           sync.Once
	mu             sync.Mutex
	exited         bool // its id may belong to somebody else
}

// start runs line in a process group of its own, or returns nil. Whoever starts a
// process attends it.
func (h *Host) start(line string) *process {
	h.record(line)
	p, err := newProcess(line, h.home, h.env)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || p.cmd.Start() != nil {
		p.hangUp()
		p.releaseChildEnds()
		return nil
	}
	p.releaseChildEnds()
	h.running[p] = true
	return p
}

func newProcess(line, dir string, env []string) (*process, error) {
	p := &process{cmd: exec.Command("/bin/sh", "-c", line)}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err1, err2, err3 error
	p.inChild[0], p.stdin, err1 = os.Pipe()
	p.stdout, p.inChild[1], err2 = os.Pipe()
	p.stderr, p.inChild[2], err3 = os.Pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		p.hangUp()
		p.releaseChildEnds()
		return nil, err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.inChild[0], p.inChild[1], p.inChild[2]
	return p, nil
}

// attend carries the process's input and output, reports its end and closes the
// channel once nobody holds the output any more.
func (h *Host) attend(l net.Conn, ch ssh.Channel, p *process, line string) {
	var out io.Writer = ch
	if d := h.takeDrop(line); d != nil {
		out = &dropWriter{Writer: ch, link: l, after: []byte(d.output)}
		_, _ = out.Write(nil)
	}
	h.work.Go(func() { pour(p.stdin, ch); p.stdin.Close() })
	var copies sync.WaitGroup
	copies.Go(func() { pour(out, p.stdout); p.stdout.Close() })
	copies.Go(func() { pour(ch.Stderr(), p.stderr); p.stderr.Close() })
	_ = p.cmd.Wait() // what matters is in ProcessState
	h.ended(p)
	copies.Wait()
	reportExit(ch, p.cmd.ProcessState.Sys().(syscall.WaitStatus))
	ch.Close()
}

func (h *Host) ended(p *process) {
	p.mu.Lock()
	p.exited = true
	p.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, p)
}

func pour(w io.Writer, r io.Reader) { _, _ = io.Copy(w, r) }

func reportExit(ch ssh.Channel, status syscall.WaitStatus) {
	if status.Signaled() {
		reportSignal(ch, status.Signal())
		return
	}
	payload := ssh.Marshal(struct{ Status uint32 }{uint32(status.ExitStatus())})
	_, _ = ch.SendRequest("exit-status", false, payload)
}

func reportSignal(ch ssh.Channel, sig syscall.Signal) {
	name := ssh.SIGKILL
	for n, s := range signals {
		if s == sig {
			name = n
		}
	}
	payload := ssh.Marshal(struct {
		Signal     string
		CoreDumped bool
		Message    string
		Language   string
	}{Signal: string(name)})
	_, _ = ch.SendRequest("exit-signal", false, payload)
}

// signal sends sig to the process group of a command that has not ended; 0 sends
// nothing.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sig != 0 && !p.exited {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// hangUp closes the server's ends of the pipes; the command lives on.
func (p *process) hangUp() {
	p.once.Do(func() {
		for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
			if f != nil {
				f.Close()
			}
		}
	})
}

func (p *process) releaseChildEnds() {
	for _, f := range p.inChild {
		if f != nil {
			f.Close()
		}
	}
}

// A dropWriter cuts its link as soon as the output contains after.
type dropWriter struct {
	io.Writer
	link  net.Conn
	after []byte
	seen  []byte
	done  bool
}

func (w *dropWriter) Write(p []byte) (int, error) {
	w.seen = append(w.seen, p...)
	if !w.done && bytes.Contains(w.seen, w.after) {
		w.done = true
		w.link.Close()
	}
	return w.Writer.Write(p)
}
