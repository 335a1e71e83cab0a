package backup

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// placeOf is the place of a directory. A missing one is fs.ErrNotExist.
func placeOf(dir string) (Place, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return Place{}, fmt.Errorf("look at the state directory %s: %w", dir, err)
	}
	p := Place{Inode: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		p.Born = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).UTC()
	}
	return p, nil
}
