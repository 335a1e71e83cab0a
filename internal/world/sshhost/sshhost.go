// Package sshhost is an SSH server inside the test process: one Zigbee2MQTT host
// without the machine. Commands run for real through /bin/sh with the host's own
// environment, so that scripts named systemctl, rc-service or sudo can stand in
// for the real ones; SFTP serves the real file system.
//
// Nothing here is more forgiving than OpenSSH: a command whose connection drops
// lives on with a closed standard input and a broken standard output, and a
// frozen host that thaws goes on as if nothing had happened.
//
// With Options.Run and a Listener in memory a host needs nothing outside the process, and
// lives in a testing/synctest bubble.
package sshhost

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Options describe a host. The zero value of every field but Home is useful.
type Options struct {
	Home       string   // directory in which commands and SFTP sessions start, also $HOME
	Path       []string // directories searched before /usr/sbin:/usr/bin:/sbin:/bin
	Env        []string // KEY=value, added to the environment of every command
	User       string   // the only login admitted; "" admits any
	Authorized []ssh.PublicKey
	HostKey    ssh.Signer   // nil: a new ed25519 key
	Listener   net.Listener // nil: 127.0.0.1, any free port
	NoSFTP     bool         // the host has no sftp-server

	// Run takes the place of /bin/sh, inside this process; it returns the exit status.
	// ctx ends with a signal. Home, Path and Env mean nothing to it.
	Run func(ctx context.Context, line string, s Stdio) int
}

// Stdio is what a command reads and writes. Reading ends, and writing fails, when the
// connection is gone.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// A Host is a running server. All methods may be called at any time.
type Host struct {
	home     string
	env      []string
	user     string
	noSFTP   bool
	runs     func(context.Context, string, Stdio) int
	listener net.Listener
	work     sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	hostKey    ssh.Signer
	authorized map[string]bool // by marshalled public key
	gate       *gate
	links      map[*link]bool
	accepted   int
	lines      []string
	running    map[*process]bool
	faults     []*drop
	refuse     bool
}

// Start listens and serves until Close.
func Start(o Options) (*Host, error) {
	h := &Host{
		home: o.Home, env: environment(o), user: o.User, noSFTP: o.NoSFTP, runs: o.Run,
		listener: o.Listener, hostKey: o.HostKey,
		authorized: map[string]bool{}, gate: newGate(),
		links: map[*link]bool{}, running: map[*process]bool{},
	}
	h.Authorize(o.Authorized...)
	if h.hostKey == nil {
		h.hostKey = NewKey()
	}
	if h.listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("listen for ssh: %w", err)
		}
		h.listener = l
	}
	h.work.Go(h.accept)
	return h, nil
}

// NewKey makes an ed25519 key that lives in memory only.
func NewKey() ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // the system's randomness is gone
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err) // ed25519 keys always make a signer
	}
	return signer
}

// environment also keeps what znp-helper leaves behind within the host's own home.
func environment(o Options) []string {
	path := strings.Join(append(o.Path, "/usr/sbin", "/usr/bin", "/sbin", "/bin"), ":")
	return append([]string{"HOME=" + o.Home, "PATH=" + path, "Z2MHA_STATE=" + filepath.Join(o.Home, ".znp-helper")}, o.Env...)
}

// Addr is the host:port to dial.
func (h *Host) Addr() string { return h.listener.Addr().String() }

// HostKey is the public key that new connections are offered.
func (h *Host) HostKey() ssh.PublicKey {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hostKey.PublicKey()
}

// Authorize lets the owners of keys log in.
func (h *Host) Authorize(keys ...ssh.PublicKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		h.authorized[string(k.Marshal())] = true
	}
}

// Commands lists the command lines received so far, in order. SFTP sessions of
// the host's own server appear as "subsystem sftp".
func (h *Host) Commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.lines...)
}

// Connections is how many connections were accepted so far.
func (h *Host) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.accepted
}

// Close cuts every connection, kills what commands still run and waits for all of
// it. Programs that a command put into a session of their own are not touched.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	running := make([]*process, 0, len(h.running))
	for p := range h.running {
		running = append(running, p)
	}
	h.mu.Unlock()

	err := h.listener.Close()
	h.Thaw()
	h.DropConnections()
	for _, p := range running {
		p.signal(syscall.SIGKILL)
	}
	h.work.Wait()
	return err
}
