package sshhost

import (
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// RefuseLogins makes every login fail from now on, or ends that.
func (h *Host) RefuseLogins(refuse bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = refuse
}

// ChangeHostKey gives the host another identity, as a reinstalled machine has.
// Connections that exist are not touched.
func (h *Host) ChangeHostKey() ssh.PublicKey {
	key := NewKey()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hostKey = key
	return key.PublicKey()
}

// Freeze stops all traffic in both directions without closing anything, as a
// pulled cable or a hung kernel does. Commands go on until their pipes are full.
func (h *Host) Freeze() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate.shut()
}

// Thaw ends Freeze; what was on its way arrives.
func (h *Host) Thaw() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate.open()
}

// DropConnections cuts all connections. Commands live on.
func (h *Host) DropConnections() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.links {
		l.Close()
	}
}

// DropDuring cuts, once, the connection of the next command whose line contains
// line, as soon as its standard output contains output. The command lives on. An
// empty output cuts when the command has started.
func (h *Host) DropDuring(line, output string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, &drop{line: line, output: output})
}

// A drop is a connection cut that waits for its command.
type drop struct{ line, output string }

// takeDrop removes and returns the drop meant for that command line, or nil.
func (h *Host) takeDrop(line string) *drop {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, d := range h.faults {
		if strings.Contains(line, d.line) {
			h.faults = append(h.faults[:i:i], h.faults[i+1:]...)
			return d
		}
	}
	return nil
}

// A gate holds up whoever passes while it is shut.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	close(g.opened)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

func (g *gate) passable() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// A link is a connection that the host's gate can hold up.
type link struct {
	net.Conn
	gate *gate
	once sync.Once
	gone chan struct{}
}

func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if !l.pass() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (l *link) Write(p []byte) (int, error) {
	if !l.pass() {
		return 0, net.ErrClosed
	}
	return l.Conn.Write(p)
}

func (l *link) pass() bool {
	select {
	case <-l.gate.passable():
		return true
	case <-l.gone:
		return false
	}
}

func (l *link) Close() error {
	l.once.Do(func() { close(l.gone) })
	return l.Conn.Close()
}
