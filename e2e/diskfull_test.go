package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"z2mha/internal/world/home"
)

// TestE2EDiskFull gives the cellar's Zigbee2MQTT a disk too small for another copy
// of the data: once too few bytes, which is seen beforehand, and once too few
// inodes, which shows only when the copy is made.
func TestE2EDiskFull(t *testing.T) {
	for _, tc := range []struct {
		name, disk string
		says       string
	}{
		{"seen before anything is done", "size=64k", "free at least"},
		{"hit during the copy", "size=64m,nr_inodes=5", "has become full; make room"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			small := smallDisk(t, tc.disk)
			b := simulated(t, func(o *home.Options) { o.NewHost = small }).start()
			b.ends(b.z2mha("switchover", "--to", "cellar"), exitRefused, "cellar", tc.says)
			b.lampAnswersThrough(b.home.Attic)
			b.mediumIsClean()
		})
	}
}

// smallDisk starts an sshd in a mount namespace of its own, in which the directory
// around the cellar's data is a small file system with the same content.
func smallDisk(t *testing.T, options string) func(home.HostSpec) (home.Host, error) {
	t.Helper()
	unshare := program(t, "unshare")
	if out, err := exec.Command(unshare, "-m", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput(); err != nil {
		missing(t, "the right to mount in a namespace of one's own", fmt.Sprintf("run as root (%s)", out))
	}
	return sshdUnder(t, func(s home.HostSpec) []string {
		if s.Name != "cellar" {
			return nil
		}
		disk := filepath.Join(s.Dir, "zigbee2mqtt")
		const script = `set -e; cp -a "$1" "$1.full"; mount -t tmpfs -o "$2" none "$1"; cp -a "$1.full/." "$1"; shift 2; exec "$@"`
		return []string{unshare, "-m", "sh", "-c", script, "sh", disk, options}
	})
}
