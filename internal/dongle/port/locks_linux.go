package port

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A lock is a flock that a process holds on a file.
type lock struct {
	pid   int
	dev   uint64
	inode uint64
}

// readLocks reads the kernel's list of locks. A kernel without one has none to show.
func (p procfs) readLocks() map[lock]bool {
	locks := map[lock]bool{}
	f, err := os.Open(p.file("locks"))
	if err != nil {
		return locks
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if l, ok := parseLock(lines.Text()); ok {
			locks[l] = true
		}
	}
	return locks
}

// parseLock reads a line such as "1: FLOCK  ADVISORY  WRITE 9929 00:1a:3 0 EOF": the
// file as major and minor number of its file system in hex, and inode in decimal.
// Somebody who waits for a lock has "->" after the number and holds nothing.
func parseLock(line string) (lock, bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[1] != "FLOCK" {
		return lock{}, false
	}
	pid, err := strconv.Atoi(f[4])
	if err != nil {
		return lock{}, false
	}
	file := strings.Split(f[5], ":")
	if len(file) != 3 {
		return lock{}, false
	}
	major, err1 := strconv.ParseUint(file[0], 16, 32)
	minor, err2 := strconv.ParseUint(file[1], 16, 32)
	inode, err3 := strconv.ParseUint(file[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return lock{}, false
	}
	return lock{pid: pid, dev: unix.Mkdev(uint32(major), uint32(minor)), inode: inode}, true
}
