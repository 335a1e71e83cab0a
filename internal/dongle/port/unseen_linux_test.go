package port_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
)

// A process of another container, or of the host around ours, shows only in its lock.
func TestUnseenHolders(t *testing.T) {
	_, path := openPTY(t)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	node := fmt.Sprintf("%02x:%02x:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino)
	const text = "a process that cannot be seen from here"
	for _, test := range []struct {
		name  string
		locks string
		opens bool // process 7 has it open
		want  []port.Holder
	}{
		{"nobody", "", false, nil},
		{"a lock of pid 0", "1: FLOCK  ADVISORY  WRITE 0 " + node + " 0 EOF\n", false, []port.Holder{{Command: text, Locked: true}}},
		{"a lock of a pid that is not listed", "1: FLOCK  ADVISORY  WRITE 9 " + node + " 0 EOF\n", false,
			[]port.Holder{{PID: 9, Command: text, Locked: true}}},
		{"a lock of a pid that is listed", "1: FLOCK  ADVISORY  WRITE 7 " + node + " 0 EOF\n", false,
			[]port.Holder{{PID: 7, Command: "node index.js", Locked: true}}},
		{"a lock on something else", "1: FLOCK  ADVISORY  WRITE 0 00:01:1 0 EOF\n", false, nil},
		{"a lock that a child inherited", "1: FLOCK  ADVISORY  WRITE 9 " + node + " 0 EOF\n", true,
			[]port.Holder{{PID: 7, Command: "node index.js"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			proc := t.TempDir()
			fd := filepath.Join(proc, "7", "fd")
			if err := os.MkdirAll(fd, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"locks": test.locks, "7/cmdline": "node\x00index.js\x00"} {
				if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if test.opens {
				if err := os.Symlink(path, filepath.Join(fd, "3")); err != nil {
					t.Fatal(err)
				}
			}
			got, err := port.HoldersIn(proc, path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
