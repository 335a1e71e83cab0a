//go:build !linux

package backup

import (
	"fmt"
	"os"
	"syscall"
)

// placeOf is the place of a directory. A missing one is fs.ErrNotExist. The time of
// birth has another name on every system and is left out here.
func placeOf(dir string) (Place, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return Place{}, fmt.Errorf("look at the state directory: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Place{}, fmt.Errorf("look at the state directory %s: this system tells no inode number", dir)
	}
	return Place{Inode: uint64(st.Ino)}, nil
}
