package e2e_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"z2mha/internal/world/home"
)

// machines makes each host of a home look like a machine of its own: another boot, its
// own /var/lib, a stick under /dev/serial/by-id, and Zigbee2MQTT in a container, as far
// as a docker command of ours can tell. All of it lies in a mount namespace.
func machines(t *testing.T) func(*home.Options) {
	t.Helper()
	unshare := program(t, "unshare")
	if out, err := exec.Command(unshare, "-m", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput(); err != nil {
		missing(t, "the right to mount in a namespace of one's own", fmt.Sprintf("run as root (%s)", out))
	}
	return func(o *home.Options) {
		o.NewHost = sshdUnder(t, func(s home.HostSpec) []string {
			own := filepath.Join(s.Dir, "machine")
			for _, dir := range []string{"lib", "bin", "dev"} {
				if err := os.MkdirAll(filepath.Join(own, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			writeFile(t, filepath.Join(own, "boot_id"), "%s\n", rand.Text())
			docker := writeFile(t, filepath.Join(own, "bin", "docker"), dockerScript, s.Dir, stickOf(s.Name))
			if err := os.Chmod(docker, 0o755); err != nil {
				t.Fatal(err)
			}
			return []string{unshare, "-m", "sh", "-c", machineScript, "sh", s.Dir, stickOf(s.Name)}
		})
	}
}

// stickOf is a name that udev gives to a supported stick.
func stickOf(node string) string {
	return "usb-ITEAD_SONOFF_Zigbee_3.0_USB_Dongle_Plus_V1_" + node + "-if00-port0"
}

const machineScript = `set -e
dir=$1 stick=$2 own=$1/machine; shift 2
mount --bind "$own/lib" /var/lib
mount --bind "$own/bin" /usr/local/bin
mount --bind "$own/boot_id" /proc/sys/kernel/random/boot_id
mount -t tmpfs none "$own/dev"
cd "$own/dev"
for f in null zero full random urandom tty; do touch $f; mount --bind /dev/$f $f; done
mkdir -p pts serial/by-id
mount --bind /dev/pts pts
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
ln -s "$(readlink -f "$dir/ttyUSB0")" "serial/by-id/$stick"
cd /
mount --move "$own/dev" /dev
exec "$@"`

// dockerScript knows one container, which is the host's service in truth.
const dockerScript = `#!/bin/sh
dir='%[1]s'
policy=$dir/machine/policy
[ -e "$policy" ] || case $dir in */attic) echo unless-stopped >"$policy" ;; *) echo no >"$policy" ;; esac
service() { "$dir/zigbee2mqtt-service" "$1"; }
case "$1 $2" in
"ps -a") echo "zigbee2mqtt koenkk/zigbee2mqtt:2.14.1" ;;
"container inspect")
	status=exited
	service status >/dev/null && status=running
	printf '{"name":"/zigbee2mqtt","image":"koenkk/zigbee2mqtt:2.14.1","mounts":[["%%s","/app/data"],[]],' "$dir/zigbee2mqtt/data"
	printf '"status":"%%s","restart":"%%s","env":[""],"labels":{"version":"2.14.1"},' $status "$(cat "$policy")"
	printf '"devices":[["/dev/serial/by-id/%[2]s","%%s"],[]]}\n' "$dir/ttyUSB0"
	;;
"stop "*) service stop ;;
"start "*) service start ;;
"kill "*) service kill ;;
"update --restart") echo "$3" >"$policy" ;;
*) echo "docker: '$1' is not known here" >&2; exit 1 ;;
esac
`
