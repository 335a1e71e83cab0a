package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A procfs is where the kernel shows its processes.
type procfs string

const proc procfs = "/proc"

func (p procfs) file(names ...string) string {
	return filepath.Join(append([]string{string(p)}, names...)...)
}

func (p procfs) ofPID(pid int, name string) string { return p.file(strconv.Itoa(pid), name) }

// unseen is how a process is called that holds a device and cannot be seen: it lives
// in another container, or outside of ours.
const unseen = "a process that cannot be seen from here"

// findHolders lists the processes that have address open, except the process skip.
func findHolders(address string, skip int) ([]Holder, error) {
	if IsNetwork(address) {
		return tcpHolders(address, skip)
	}
	if err := checkPath(address); err != nil {
		return nil, err
	}
	d, err := statDevice(address)
	if err != nil {
		return nil, err
	}
	return proc.deviceHolders(d, skip)
}

// deviceHolders finds the processes with an open descriptor of d, or with a lock on its
// node: locks are shown of processes, too, that cannot be looked into. One that is not
// even listed counts as a holder of its own, unless the lock may have come to a process
// that is: locks outlive the process that took them, in its children.
func (p procfs) deviceHolders(d device, skip int) ([]Holder, error) {
	locks := p.readLocks()
	open := false
	holders, err := p.eachProcess(skip, func(pid int) (*Holder, error) {
		locked := locks[lock{pid, d.dev, d.inode}]
		held := locked
		err := p.eachDescriptor(pid, func(path, target string) {
			var node unix.Stat_t
			if !strings.HasPrefix(target, "/") || unix.Stat(path, &node) != nil || !d.same(node) {
				return
			}
			held = true
			locked = locked || locks[lock{pid, uint64(node.Dev), node.Ino}]
		})
		open = open || held
		if !held {
			return nil, err
		}
		return &Holder{PID: pid, Command: p.commandOf(pid), Locked: locked}, nil
	})
	if !open {
		holders = append(p.unseenHolders(d, locks, skip), holders...)
	}
	return holders, err
}

// unseenHolders are the owners of locks on d's node that are no process listed: of pid
// 0 when the kernel has no number for them here. Whoever came or went between two looks
// is none: the lock must be there still, and its owner still not.
func (p procfs) unseenHolders(d device, locks map[lock]bool, skip int) []Holder {
	var found []Holder
	for l := range p.readLocks() {
		if !locks[l] || l.dev != d.dev || l.inode != d.inode || l.pid == skip && skip != nobody {
			continue
		}
		if _, err := os.Stat(p.ofPID(l.pid, "")); l.pid != 0 && err == nil {
			continue
		}
		found = append(found, Holder{PID: l.pid, Command: unseen, Locked: true})
	}
	return found
}

// eachProcess collects what look finds in every process but skip, in order of pid.
// A process that look has no permission for makes the result an ErrIncomplete one.
func (p procfs) eachProcess(skip int, look func(pid int) (*Holder, error)) ([]Holder, error) {
	pids, err := p.pids()
	if err != nil {
		return nil, err
	}
	var holders []Holder
	hidden := 0
	for _, pid := range pids {
		if pid == skip {
			continue
		}
		h, err := look(pid)
		if errors.Is(err, fs.ErrPermission) {
			hidden++
		}
		if h != nil {
			holders = append(holders, *h)
		}
	}
	if hidden > 0 {
		return holders, fmt.Errorf("%w (%d of %d)", ErrIncomplete, hidden, len(pids))
	}
	return holders, nil
}

// pids lists the processes there are, in order.
func (p procfs) pids() ([]int, error) {
	entries, err := os.ReadDir(string(p))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// eachDescriptor calls visit with the path of every open descriptor of a process below
// /proc and what it links to. A process that has ended meanwhile has none.
func (p procfs) eachDescriptor(pid int, visit func(path, target string)) error {
	dir := p.ofPID(pid, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if target, err := os.Readlink(path); err == nil {
			visit(path, target)
		}
	}
	return nil
}

// commandOf is the program of a process and its first argument unless that is a flag;
// more might show a password.
func (p procfs) commandOf(pid int) string {
	line, _ := os.ReadFile(p.ofPID(pid, "cmdline"))
	words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	if words[0] == "" {
		comm, _ := os.ReadFile(p.ofPID(pid, "comm"))
		return strings.TrimSpace(string(comm))
	}
	command := filepath.Base(words[0])
	if len(words) > 1 && words[1] != "" && !strings.HasPrefix(words[1], "-") {
		command += " " + words[1]
	}
	return command
}
