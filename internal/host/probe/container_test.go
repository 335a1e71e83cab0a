package probe_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/probe"
)

// inContainer runs this test program as node in a mount namespace and below a root of its
// own, as a container does. There the directory data is /app/data, as its image has it.
func inContainer(t *testing.T, data string, env []string, args ...string) int {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"app/data", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"package.json": `{"name":"zigbee2mqtt","version":"2.14.1"}`, "index.js": ""} {
		if err := os.WriteFile(filepath.Join(root, "app", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("cp", self, filepath.Join(root, "node")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return started(t, exec.Command("unshare", append([]string{"--mount", "sh", "-c", container, "sh", root, data}, args...)...), env)
}

// container enters the root with pivot_root, as container programs do: afterwards the
// links in /proc show paths of the container.
const container = `
root=$1 data=$2; shift 2
cd /
mount --bind "$root" "$root" && mkdir "$root/usr" && mount --bind /usr "$root/usr"
for d in bin lib lib64; do
	if [ -L "/$d" ]; then cp -P "/$d" "$root/"
	elif [ -d "/$d" ]; then mkdir "$root/$d" && mount --bind "/$d" "$root/$d"; fi
done
mount --bind "$data" "$root/app/data" &&
mkdir -p "$root/old" && cd "$root" && pivot_root . old && cd /app && umount -l /old 2>/dev/null
exec /node "$@"
`

// started is program for a command that is already made; env is added to our own.
func started(t *testing.T, cmd *exec.Cmd, env []string) int {
	t.Helper()
	cmd.Env = append(env, "PLAY_A_PROGRAM=1", "PATH="+os.Getenv("PATH"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the program said %q and %s", line, said.String())
	}
	return cmd.Process.Pid
}

// needsNamespaces skips the test where no mount namespace can be made.
func needsNamespaces(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("a mount namespace of its own takes root's rights: %v: %s", err, out)
	}
}

func TestLookFindsWhoWorksOnTheDataInAContainer(t *testing.T) {
	needsNamespaces(t)
	for _, test := range []struct {
		name string
		env  []string
		why  string // "" when it works on something else
	}{
		{"by ZIGBEE2MQTT_DATA", []string{"ZIGBEE2MQTT_DATA=/app/data"}, "ZIGBEE2MQTT_DATA=/app/data"},
		{"by its working directory", nil, "runs in /app"},
		{"by a file it writes", []string{"ZIGBEE2MQTT_DATA=/elsewhere", "OPEN_FOR_WRITING=/app/data/log.log"}, "writes /app/data/log.log"},
		{"unless it works on something else", []string{"ZIGBEE2MQTT_DATA=/app"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := t.TempDir()
			pid := inContainer(t, data, test.env, "index.js")
			r := look(t, helperapi.ProbeArgs{Data: data})
			if test.why == "" {
				if len(r.DataHolders) != 0 {
					t.Errorf("holders are %+v, want none", r.DataHolders)
				}
				return
			}
			if len(r.DataHolders) != 1 || r.DataHolders[0].PID != pid || r.DataHolders[0].Why != test.why {
				t.Errorf("holders are %+v, want pid %d because it %s", r.DataHolders, pid, test.why)
			}
			if r.Version != "2.14.1" {
				t.Errorf("version %q", r.Version)
			}
		})
	}
}

// A container's /app/data is no host's /app/data: the same words name another directory.
func TestLookIsNotFooledByAPathOfAContainer(t *testing.T) {
	needsNamespaces(t)
	elsewhere, data := t.TempDir(), t.TempDir()
	inContainer(t, elsewhere, []string{"ZIGBEE2MQTT_DATA=/app/data"}, "index.js")
	if r := look(t, helperapi.ProbeArgs{Data: data}); len(r.DataHolders) != 0 {
		t.Errorf("holders are %+v, want none", r.DataHolders)
	}
}

// A link in a container leads to where it leads there.
func TestLookFollowsLinksAsTheContainerDoes(t *testing.T) {
	needsNamespaces(t)
	data := t.TempDir()
	if err := os.Symlink("/app/data", filepath.Join(data, "self")); err != nil {
		t.Fatal(err)
	}
	pid := inContainer(t, data, []string{"ZIGBEE2MQTT_DATA=/app/data/self"}, "index.js")
	r := look(t, helperapi.ProbeArgs{Data: data})
	if len(r.DataHolders) != 1 || r.DataHolders[0].PID != pid {
		t.Errorf("holders are %+v, want pid %d", r.DataHolders, pid)
	}
}

// The device number of a tty is the same in a container that has a node of its own.
func TestLookFindsWhoHasTheStickOpenInAContainer(t *testing.T) {
	needsNamespaces(t)
	data, devices := t.TempDir(), t.TempDir()
	host, inside := filepath.Join(devices, "ttyUSB0"), filepath.Join(data, "ttyUSB0")
	for _, node := range []string{host, inside} { // of /dev/null, which anyone may open
		if out, err := exec.Command("mknod", node, "c", "1", "3").CombinedOutput(); err != nil {
			t.Skipf("no device can be made here: %v: %s", err, out)
		}
	}
	pid := inContainer(t, data, []string{"OPEN_DEVICE=/app/data/ttyUSB0"}, "index.js")
	r := look(t, helperapi.ProbeArgs{TTY: host, Data: data})
	found := false
	for _, h := range r.Holders {
		found = found || h.PID == pid
	}
	if !found || len(r.DataHolders) != 1 {
		t.Errorf("holders are %+v and %+v, want pid %d", r.Holders, r.DataHolders, pid)
	}
}

func TestModemManager(t *testing.T) {
	tty := func(notes ...string) map[string]string {
		files := map[string]string{
			"proc/7/comm":                     "ModemManager\n",
			"sys/devices/usb1/1-1/dev":        "189:3\n",
			"sys/devices/usb1/1-1/x/tty1/dev": "188:0\n",
		}
		for i := 0; i+1 < len(notes); i += 2 {
			files[notes[i]] = notes[i+1]
		}
		return files
	}
	for _, test := range []struct {
		name   string
		files  map[string]string
		device string
		want   bool
	}{
		{"runs", tty(), "188:0", true},
		{"runs and udev says nothing of it", tty("udev/c188:0", "E:ID_VENDOR=x\n"), "188:0", true},
		{"was told to ignore the tty", tty("udev/c188:0", "E:ID_VENDOR=x\nE:ID_MM_DEVICE_IGNORE=1\n"), "188:0", false},
		{"was told to ignore the port", tty("udev/c188:0", "E:ID_MM_PORT_IGNORE=1\n"), "188:0", false},
		{"was told to ignore the stick", tty("udev/c189:3", "E:ID_MM_DEVICE_IGNORE=1\n"), "188:0", false},
		{"was told not to ignore it", tty("udev/c188:0", "E:ID_MM_DEVICE_IGNORE=0\n"), "188:0", true},
		{"does not run", tty("proc/7/comm", "node\n"), "188:0", false},
		{"does not care for pseudo terminals", tty(), "136:0", false},
		{"has no stick to look at", tty(), "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range test.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			links := filepath.Join(dir, "sys/dev/char")
			if err := os.MkdirAll(links, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../../devices/usb1/1-1/x/tty1", filepath.Join(links, "188:0")); err != nil {
				t.Fatal(err)
			}
			if got := probe.ModemManaged(dir, test.device); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
