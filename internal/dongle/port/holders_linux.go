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

// proc is where the kernel shows its processes.
const proc = "/proc"

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
	return deviceHolders(d, skip)
}

// deviceHolders finds the processes with an open descriptor of d, or with a lock on its
// node: locks are shown of processes, too, that cannot be looked into.
func deviceHolders(d device, skip int) ([]Holder, error) {
	locks := readLocks()
	return eachProcess(skip, func(pid int) (*Holder, error) {
		locked := locks[lock{pid, d.dev, d.inode}]
		held := locked
		err := eachDescriptor(pid, func(path, target string) {
			var node unix.Stat_t
			if !strings.HasPrefix(target, "/") || unix.Stat(path, &node) != nil || !d.same(node) {
				return
			}
			held = true
			locked = locked || locks[lock{pid, uint64(node.Dev), node.Ino}]
		})
		if !held {
			return nil, err
		}
		return &Holder{PID: pid, Command: commandOf(pid), Locked: locked}, nil
	})
}

// eachProcess collects what look finds in every process but skip, in order of pid.
// A process that look has no permission for makes the result an ErrIncomplete one.
func eachProcess(skip int, look func(pid int) (*Holder, error)) ([]Holder, error) {
	pids, err := pids()
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
func pids() ([]int, error) {
	entries, err := os.ReadDir(proc)
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
func eachDescriptor(pid int, visit func(path, target string)) error {
	dir := filepath.Join(proc, strconv.Itoa(pid), "fd")
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
func commandOf(pid int) string {
	line, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	if words[0] == "" {
		comm, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
		return strings.TrimSpace(string(comm))
	}
	command := filepath.Base(words[0])
	if len(words) > 1 && words[1] != "" && !strings.HasPrefix(words[1], "-") {
		command += " " + words[1]
	}
	return command
}
