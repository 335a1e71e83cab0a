package probe

import (
	"cmp"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"z2mha/internal/host/helperapi"
)

// Directory describes a directory, or the place where it would be made.
func Directory(path string) *helperapi.DataDir {
	d := &helperapi.DataDir{Path: path}
	d.Resolved, _ = filepath.EvalSymlinks(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		st := info.Sys().(*syscall.Stat_t)
		d.Exists, d.UID, d.GID = true, int(st.Uid), int(st.Gid)
		d.Mode, d.Inode = uint32(info.Mode().Perm()), st.Ino
	}
	measure(d)
	return d
}

// measure fills in the room, for root's eyes and everybody else's alike: what an
// ordinary user may still write.
func measure(d *helperapi.DataDir) {
	at := realPath(d)
	for {
		var fs unix.Statfs_t
		var st unix.Stat_t
		if unix.Statfs(at, &fs) == nil && unix.Stat(at, &st) == nil {
			d.FreeBytes = int64(fs.Bavail) * int64(fs.Bsize)
			d.TotalBytes = int64(fs.Blocks) * int64(fs.Bsize)
			d.Device = uint64(st.Dev)
			return
		}
		parent := filepath.Dir(at)
		if parent == at {
			return
		}
		at = parent
	}
}

// realPath is the directory behind links, or the path as it was given.
func realPath(d *helperapi.DataDir) string { return cmp.Or(d.Resolved, d.Path) }
