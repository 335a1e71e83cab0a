package wired

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/probe"
	"z2mha/internal/world/memnet"
	"z2mha/internal/world/sshhost"
)

// A Host is a machine with a stick: its files are real, in a directory of its own, its
// processes are goroutines.
type Host struct {
	w    *World
	name string
	dir  string
	tty  string
	data string

	ssh    *memnet.Line // to it
	serial *memnet.Line // from it to its stick
	broker *memnet.Line // from it to the broker
	server *sshhost.Host
	stick  *znpsim.Dongle

	mu        sync.Mutex // guards what follows
	powered   bool
	boots     int
	holder    *process // of the port
	processes map[int]*process
	pid       int
	full      bool // the disk
	frozen    bool
	hung      *process // a Zigbee2MQTT that stands still
	unit      unit
}

func newHost(w *World, name string) *Host {
	dir := filepath.Join(w.dir, name)
	h := &Host{w: w, name: name, dir: dir, tty: "/dev/serial/by-id/usb-" + name, data: filepath.Join(dir, "zigbee2mqtt", "data"),
		ssh: memnet.NewLine(name + ":22"), serial: memnet.NewLine("stick:1"), broker: memnet.NewLine("broker:1883"),
		powered: true, boots: 1, processes: map[int]*process{}, pid: 100}
	h.unit.host = h
	return h
}

// state is where the helper keeps its records.
func (h *Host) state() string { return filepath.Join(h.dir, "helper-state") }

// serveStick lets one program after the other speak to the stick.
func (h *Host) serveStick(ctx context.Context) {
	for {
		c, err := h.serial.Accept()
		if err != nil {
			return
		}
		_ = h.stick.Serve(ctx, c)
	}
}

// A process is a program that runs on a host.
type process struct {
	host    *Host
	pid     int
	command string
	data    string // that it works on, "" for none
	ours    bool   // a helper

	mu     sync.Mutex
	hangs  bool
	termed bool          // while it hung
	stop   func()        // what a TERM does
	killed chan struct{} // closed by a KILL
	done   chan struct{} // closed when it is gone
	status int
	dead   bool
	port   io.Closer
	conns  []io.Closer
}

func (h *Host) spawn(command, data string, ours bool, stop func()) *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pid++
	p := &process{host: h, pid: h.pid, command: command, data: data, ours: ours, stop: stop, killed: make(chan struct{}), done: make(chan struct{})}
	h.processes[p.pid] = p
	return p
}

// term sends a TERM, which one that hangs gets later.
func (p *process) term() {
	p.mu.Lock()
	hangs := p.hangs
	p.termed = p.termed || hangs
	p.mu.Unlock()
	if !hangs {
		p.stop()
	}
}

func (p *process) hang(hangs bool) {
	p.mu.Lock()
	p.hangs = hangs
	late := !hangs && p.termed
	p.termed = p.termed && hangs
	p.mu.Unlock()
	if late {
		p.stop()
	}
}

// kill ends it at once: what it had open is closed, and nothing it does reaches anybody.
func (p *process) kill() {
	if p.ended(137) {
		close(p.killed)
		p.stop()
	}
}

// ended takes the process out of the host, once.
func (p *process) ended(status int) bool {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return false
	}
	p.dead, p.status = true, status
	opened := p.conns
	if p.port != nil {
		opened = append(opened, p.port)
	}
	p.mu.Unlock()
	for _, c := range opened {
		_ = c.Close()
	}
	h := p.host
	h.mu.Lock()
	delete(h.processes, p.pid)
	if h.holder == p {
		h.holder = nil
	}
	h.mu.Unlock()
	close(p.done)
	return true
}

func (p *process) holds(c io.Closer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errors.Join(os.ErrProcessDone, c.Close())
	}
	p.conns = append(p.conns, c)
	return nil
}

// open opens the stick's port for a process, which holds it alone.
func (h *Host) open(ctx context.Context, p *process, path string) (io.ReadWriteCloser, error) {
	if !h.present(path) {
		return nil, fmt.Errorf("open port: %w", &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT})
	}
	h.mu.Lock()
	if q := h.holder; q != nil {
		h.mu.Unlock()
		return nil, fmt.Errorf("open port: %w", &port.BusyError{Path: path, Holders: []port.Holder{{PID: q.pid, Command: q.command, Locked: true}}})
	}
	h.holder = p
	h.mu.Unlock()
	c, err := h.serial.Dial(ctx)
	if err != nil {
		h.release(p)
		return nil, fmt.Errorf("open port: %w", err)
	}
	o := &opened{ReadWriteCloser: c, p: p}
	p.mu.Lock()
	p.port = c
	dead := p.dead
	p.mu.Unlock()
	if dead {
		_ = o.Close()
		return nil, os.ErrProcessDone
	}
	return o, nil
}

func (h *Host) release(p *process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holder == p {
		h.holder = nil
	}
}

// opened is a port in the hands of a process.
type opened struct {
	io.ReadWriteCloser
	p *process
}

// Close lets go of the port.
func (o *opened) Close() error {
	o.p.host.release(o.p)
	return o.ReadWriteCloser.Close()
}

func (h *Host) present(path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return path == h.tty && h.powered && h.stick.Plugged()
}

// machine is the host as the helper meets it, in one process.
type machine struct {
	h *Host
	p *process
}

// Open is that of helper.Machine.
func (m machine) Open(ctx context.Context, path string) (io.ReadWriteCloser, error) {
	return m.h.open(ctx, m.p, path)
}

// Look is that of helper.Machine.
func (m machine) Look(a helperapi.ProbeArgs) (helperapi.ProbeResult, error) {
	h := m.h
	r := helperapi.ProbeResult{Time: time.Now().UTC(), Hostname: h.name, HostID: "host-" + h.name, Root: true, Version: "2.14.1"}
	h.mu.Lock()
	r.BootID, r.UptimeMS = fmt.Sprintf("%s-boot-%d", h.name, h.boots), time.Hour.Milliseconds()
	h.mu.Unlock()
	if a.TTY != "" {
		r.TTY = h.describe(a.TTY)
	}
	if a.Also != "" {
		r.Also = h.describe(a.Also)
	}
	r.Holders, r.DataHolders, _ = m.Users(a.TTY, a.Data)
	if a.Data != "" {
		r.Data = h.room(a.Data)
	}
	if a.Staging != "" {
		r.Staging = h.room(a.Staging)
	}
	if a.Broker != "" {
		r.Broker = h.reach(a.Broker)
	}
	return r, nil
}

func (h *Host) describe(path string) *helperapi.TTY {
	t := &helperapi.TTY{Path: path, Present: h.present(path)}
	if t.Present {
		t.Resolved, t.Device = "/dev/ttyUSB0", "188:0"
	}
	return t
}

func (h *Host) room(dir string) *helperapi.DataDir {
	d := probe.Directory(dir)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full {
		d.FreeBytes = 0
	}
	return d
}

func (h *Host) reach(address string) *helperapi.Reach {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	begun := time.Now()
	c, err := h.broker.Dial(ctx)
	r := &helperapi.Reach{Address: address, OK: err == nil, TookMS: time.Since(begun).Milliseconds()}
	if err != nil {
		r.Why = err.Error()
		return r
	}
	_ = c.Close()
	return r
}

// Users is that of ending.Machine.
func (m machine) Users(path, dir string) (ports, dirs []helperapi.Holder, err error) {
	h := m.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.holder; q != nil && path == h.tty {
		ports = append(ports, helperapi.Holder{PID: q.pid, Command: q.command, Locked: true, Ours: q.ours})
	}
	for _, pid := range slices.Sorted(maps.Keys(h.processes)) {
		if q := h.processes[pid]; q.data == dir && dir != "" {
			dirs = append(dirs, helperapi.Holder{PID: pid, Command: q.command, Why: "ZIGBEE2MQTT_DATA=" + dir})
		}
	}
	return ports, dirs, nil
}

// InUse is that of helper.Machine.
func (m machine) InUse(dir string) ([]helperapi.Holder, error) {
	_, dirs, err := m.Users("", dir)
	return dirs, err
}

func (h *Host) process(pid int) *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.processes[pid]
}

// Lives is that of ending.Machine.
func (m machine) Lives(pid int) bool { return m.h.process(pid) != nil }

// Supervised is that of ending.Machine.
func (m machine) Supervised(int) bool { return false }

// Terminate is that of ending.Machine.
func (m machine) Terminate(pid int) error {
	p := m.h.process(pid)
	if p == nil {
		return syscall.ESRCH
	}
	p.term()
	return nil
}

// Pin is that of ending.Machine.
func (m machine) Pin(pid int) (kill func() error, release func(), err error) {
	p := m.h.process(pid)
	if p == nil {
		return nil, nil, os.ErrProcessDone
	}
	return func() error { p.kill(); return nil }, func() {}, nil
}

// Shell is that of ending.Machine.
func (m machine) Shell(line string) (<-chan int, error) {
	ended := make(chan int, 1)
	m.h.w.work.Go(func() {
		ended <- m.h.shell(context.Background(), line, sshhost.Stdio{In: nobody{}, Out: io.Discard, Err: io.Discard})
	})
	return ended, nil
}

type nobody struct{}

func (nobody) Read([]byte) (int, error) { return 0, io.EOF }
