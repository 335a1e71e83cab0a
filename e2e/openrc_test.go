package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/node"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/internal/world/sshhost"
)

// A rcHost is a host under Debian's real OpenRC: a mount namespace with a root of its
// own, in which OpenRC lies over this machine's /usr. It shares the processes with this
// machine. Debian's OpenRC uses dpkg's start-stop-daemon, which does not tell OpenRC when
// a process ends, so a service counts as started until it is stopped.
type rcHost struct {
	*node.Node
	t    *testing.T
	dir  string // everything is below it; the same path on both sides
	root string
	ssh  *sshhost.Host
	pid  int // of the process that keeps the namespace
}

// rcRoot builds the root and says ready. OpenRC makes its own directories only when it
// boots the machine.
const rcRoot = `set -e
root=$1 cache=$2
mount -t tmpfs none "$root"
cd "$root"
mkdir -p usr etc proc dev sys tmp root run var/log
ln -s /run var/run
for d in bin sbin lib lib64; do [ -e /$d ] && ln -s usr/$d $d; done
mount -t overlay overlay -o "lowerdir=$cache/usr:/usr" usr
cp -a "$cache/etc/." etc/
mkdir -p etc/conf.d
for f in passwd group nsswitch.conf ld.so.cache alternatives; do [ -e /etc/$f ] && cp -a /etc/$f etc/; done
touch etc/insserv.conf
for d in starting started stopping inactive wasinactive failed hotplugged daemons options exclusive scheduled init.d tmp; do
	mkdir -p run/openrc/$d
done
echo default >run/openrc/softlevel
mount --bind /proc proc
mount --rbind /dev dev
mount --bind /sys sys
mount --bind /tmp tmp
case $TMPDIR in ''|/tmp*) ;; *) mkdir -p ".$TMPDIR"; mount --bind "$TMPDIR" ".$TMPDIR";; esac
echo ready
exec cat
`

// standIn behaves at a stop as Zigbee2MQTT does: it goes on with its closing backup.
//
// With TTY it holds that, and it saves 200 ms after the TERM.
const standIn = `const fs = require("fs"), data = process.env.ZIGBEE2MQTT_DATA;
if (process.env.TTY) fs.openSync(process.env.TTY, fs.constants.O_RDWR | fs.constants.O_NOCTTY);
let ending = false;
process.on("SIGTERM", () => {
	if (ending) return;
	ending = true;
	setTimeout(() => {
		fs.writeFileSync(data + "/state.json", "{}");
		fs.writeFileSync(data + "/database.db.tmp", '{"id":1}\n');
		fs.renameSync(data + "/database.db.tmp", data + "/database.db");
	}, 200);
	setTimeout(() => process.exit(0), 200 + Number(process.env.BACKUP_MS || 0));
});
setInterval(() => {}, 1000);
fs.writeFileSync(process.env.ZIGBEE2MQTT_DATA + "/ready", String(process.pid));
`

// theHelper is the helper for this machine, built once.
var theHelper = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "znp-helper")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "znp-helper")
	build := exec.Command("go", "build", "-o", out, "z2mha/cmd/znp-helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the helper: %w: %s", err, said)
	}
	return os.ReadFile(out)
})

func newRCHost(t *testing.T) *rcHost {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a root of its own takes root's rights")
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		t.Skip("Debian's OpenRC runs on Debian only")
	}
	for _, name := range []string{"unshare", "nsenter", "node", "npm"} {
		program(t, name)
	}
	cache := openrcDir(t)
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace can be made here: %v: %s", err, out)
	}
	h := &rcHost{t: t, dir: t.TempDir(), root: t.TempDir()}
	h.keep(cache)
	h.write("app/index.js", standIn)
	h.write("app/package.json", `{"name": "zigbee2mqtt", "version": "2.14.1", "scripts": {"start": "node index.js"}}`)
	h.write("app/data/configuration.yaml", "version: 5\n")
	h.serve()
	t.Cleanup(h.endAll)
	return h
}

// openrcDir is where scripts/test-deps-openrc.sh puts OpenRC.
func openrcDir(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("Z2MHA_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			missing(t, "a cache directory", "set Z2MHA_CACHE")
		}
		cache = filepath.Join(dir, "z2mha")
	}
	dir := filepath.Join(cache, "openrc")
	if _, err := os.Stat(filepath.Join(dir, "usr/sbin/rc-service")); err != nil {
		missing(t, "OpenRC ("+dir+")", "run: scripts/test-deps-openrc.sh")
	}
	return dir
}

// keep starts the process that keeps the namespace until the test ends.
func (h *rcHost) keep(cache string) {
	h.t.Helper()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", rcRoot, "sh", h.root, cache)
	var said strings.Builder
	cmd.Stderr = &said
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		h.t.Fatalf("the root of OpenRC was not built: %s", said.String())
	}
	h.pid = cmd.Process.Pid
}

// inside is the command line that enters the root.
func (h *rcHost) inside() string {
	return fmt.Sprintf("nsenter --mount=/proc/%d/ns/mnt chroot %s /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root", h.pid, h.root)
}

// serve makes the node: what is to run as root runs inside.
func (h *rcHost) serve() {
	h.t.Helper()
	key, bin := sshhost.NewKey(), h.t.TempDir()
	h.script(filepath.Join(bin, "sudo"), "shift 2; exec "+h.inside()+` "$@"`)
	server, err := sshhost.Start(sshhost.Options{Home: h.t.TempDir(), Path: []string{bin}, Authorized: []ssh.PublicKey{key.PublicKey()}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { server.Close() })
	h.ssh = server
	h.Node, err = node.New(node.Config{
		Name: "attic",
		SSH: remote.Config{Address: server.Addr(), User: "root", Signer: key, Become: remote.BecomeSudo,
			KnownHosts: filepath.Join(h.t.TempDir(), "known_hosts")},
		Dongle:    filepath.Join(h.dir, "no-stick"),
		Data:      filepath.Join(h.dir, "app/data"),
		HelperDir: filepath.Join(h.dir, "bin"),
		State:     filepath.Join(h.dir, "state"),
		Service:   service.Config{Kind: service.OpenRC, Unit: "zigbee2mqtt"},
		Helper:    func(string) ([]byte, error) { return theHelper() },
		Timeouts:  node.Timeouts{Ending: 15 * time.Second},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.Close() })
}

func (h *rcHost) write(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	writeFile(h.t, path, "%s", text)
}

func (h *rcHost) script(path, text string) {
	h.t.Helper()
	writeFile(h.t, path, "#!/bin/sh\n%s\n", text)
	if err := os.Chmod(path, 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// install gives the host a service script with these variables.
func (h *rcHost) install(variables string) {
	h.t.Helper()
	h.write("zigbee2mqtt", "#!/sbin/openrc-run\nname=zigbee2mqtt\ndirectory=\""+h.dir+"/app\"\n"+
		"export ZIGBEE2MQTT_DATA="+h.dir+"/app/data\n"+variables)
	h.run("install -m 755 " + h.dir + "/zigbee2mqtt /etc/init.d/zigbee2mqtt")
}

// run runs a line of shell inside.
func (h *rcHost) run(line string) string {
	h.t.Helper()
	words := append(strings.Fields(h.inside()), "sh", "-c", line)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// endAll ends what the services left: whoever works on the data directory.
func (h *rcHost) endAll() {
	for range 20 { // a supervisor starts one more until it is gone itself
		left := false
		environs, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, file := range environs {
			raw, err := os.ReadFile(file)
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err == nil && pid != os.Getpid() && strings.Contains("\x00"+string(raw), "\x00ZIGBEE2MQTT_DATA="+h.dir+"/") {
				left = true
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if !left {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (h *rcHost) see() network.Observation {
	h.t.Helper()
	o, err := h.Observe(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

func (h *rcHost) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *rcHost) eventually(what string, is func(network.Observation) bool) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is(h.see()) {
		if time.Now().After(deadline) {
			h.t.Fatalf("not %s: %+v", what, h.see())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// worker is the process id of the program itself, not of npm or a supervisor; 0: none.
func worker(o network.Observation) int {
	for _, p := range o.DataHolders {
		if p.Command == "node index.js" {
			return p.PID
		}
	}
	return 0
}

// works says that the program runs and has got as far as to listen for signals.
func (h *rcHost) works(o network.Observation) bool {
	ready, err := os.ReadFile(filepath.Join(h.dir, "app/data/ready"))
	return err == nil && o.Service == network.ServiceRunning && worker(o) != 0 && string(ready) == strconv.Itoa(worker(o))
}

func settled(o network.Observation) bool { return o.Stopped() && o.Service == network.ServiceStopped }

// byPID is a service whose pid file holds npm. OpenRC finds it by the file of the program,
// which for a script is its interpreter.
const byPID = `command=/usr/bin/node
command_args="/usr/bin/npm start"
command_background=true
pidfile=/run/zigbee2mqtt.pid
`

func TestOpenRC(t *testing.T) {
	for _, tt := range []struct {
		name      string
		variables string
	}{
		{"program itself", "command=/usr/bin/node\ncommand_args=index.js\ncommand_background=true\npidfile=/run/zigbee2mqtt.pid\n"},
		{"npm start in the pid file", byPID},
		{"backup that goes on behind a stop that succeeded", byPID + "export BACKUP_MS=2000\n"},
		{"ghost error of a stop", byPID + "retry=TERM/1\nexport BACKUP_MS=3000\n"},
		{"supervise-daemon", "supervisor=supervise-daemon\ncommand=/usr/bin/node\ncommand_args=index.js\nrespawn_delay=1\n"},
		{"no program known to OpenRC", `start() { cd "$directory" && { setsid node index.js >/dev/null 2>&1 </dev/null & }; echo $! >/run/own.pid; }
stop() { kill "$(cat /run/own.pid)" 2>/dev/null; return 0; }
export BACKUP_MS=1000
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newRCHost(t)
			h.install(tt.variables)
			if o := h.see(); !settled(o) || o.Enabled != service.No {
				t.Fatalf("before anything: %+v", o)
			}
			for range 2 { // what is left of a stop must not stand in the way of a start
				h.must(h.StartService(t.Context()))
				h.eventually("running", h.works)
				h.must(h.StopService(t.Context()))
				if o := h.see(); !settled(o) {
					t.Fatalf("after the stop: %+v", o)
				}
			}
		})
	}
}

// A stop that OpenRC cannot carry out: dpkg's start-stop-daemon looks for a program called
// npm, which is a script of node's. Zigbee2MQTT is reached all the same; unless it does
// not end, which is told, and a kill works.
func TestOpenRCThatCannotStop(t *testing.T) {
	const npm = "command=/usr/bin/npm\ncommand_args=start\ncommand_background=true\npidfile=/run/zigbee2mqtt.pid\n"
	h := newRCHost(t)
	h.install(npm)
	h.must(h.StartService(t.Context()))
	h.eventually("running", h.works)
	h.must(h.StopService(t.Context()))
	if o := h.see(); !settled(o) {
		t.Errorf("after the stop: %+v", o)
	}
	h.install(npm + "export BACKUP_MS=3600000\n")
	h.must(h.StartService(t.Context()))
	h.eventually("running again", h.works)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if err := h.StopService(ctx); err == nil || !strings.Contains(err.Error(), "still not ended") {
		t.Errorf("got %v", err)
	}
	if o := h.see(); !h.works(o) {
		t.Errorf("after a stop that did nothing: %+v", o)
	}
	h.must(h.KillService(t.Context()))
	if o := h.see(); !settled(o) {
		t.Errorf("after the kill: %+v", o)
	}
}

func TestOpenRCSupervisorStartsAgain(t *testing.T) {
	h := newRCHost(t)
	h.install("supervisor=supervise-daemon\ncommand=/usr/bin/node\ncommand_args=index.js\nrespawn_delay=1\nexport Z2M_WATCHDOG=default\n")
	h.must(h.StartService(t.Context()))
	h.eventually("running", h.works)
	first := h.see()
	if first.Restart != "supervise-daemon" || first.Watchdog != "default" {
		t.Errorf("got %+v", first)
	}
	h.must(syscall.Kill(worker(first), syscall.SIGKILL))
	if o := h.see(); o.Stopped() {
		t.Errorf("between two starts it was taken for stopped: %+v", o)
	}
	h.eventually("started again", func(o network.Observation) bool { return h.works(o) && worker(o) != worker(first) })
	h.must(h.KillService(t.Context()))
	if o := h.see(); !settled(o) {
		t.Errorf("after the kill: %+v", o)
	}
}

// What ended by itself is started all the same: OpenRC believes it to run.
func TestOpenRCForgetsWhatIsGone(t *testing.T) {
	h := newRCHost(t)
	h.install(byPID)
	h.must(h.StartService(t.Context()))
	h.eventually("running", h.works)
	first := h.see()
	for _, p := range first.DataHolders {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	h.eventually("gone", func(o network.Observation) bool { return !o.Runs() })
	if o := h.see(); o.Service != network.ServiceRunning && o.Service != network.ServiceFailed {
		t.Errorf("OpenRC says %s", o.Service)
	}
	h.must(h.StartService(t.Context()))
	h.eventually("running again", func(o network.Observation) bool { return h.works(o) && worker(o) != worker(first) })
}

// A stop that does not wait for the closing backup, whatever is in the pid file. Under
// supervise-daemon the KILL must not be answered by a start.
func TestOpenRCStopsFast(t *testing.T) {
	for name, variables := range map[string]string{
		"program itself":          "command=/usr/bin/node\ncommand_args=index.js\ncommand_background=true\npidfile=/run/zigbee2mqtt.pid\n",
		"npm start":               byPID,
		"npm that is not stopped": "command=/usr/bin/npm\ncommand_args=start\ncommand_background=true\npidfile=/run/zigbee2mqtt.pid\n",
		"supervise-daemon":        "supervisor=supervise-daemon\ncommand=/usr/bin/node\ncommand_args=index.js\nrespawn_delay=1\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRCHost(t)
			stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic"})
			tty, err := stick.OpenPTY(filepath.Join(h.dir, "no-stick"))
			h.must(err)
			ctx, cancel := context.WithCancel(context.Background())
			served := make(chan error, 1)
			go func() { served <- tty.Serve(ctx) }()
			t.Cleanup(func() { cancel(); <-served })
			h.install(variables + "export BACKUP_MS=60000\nexport TTY=" + h.dir + "/no-stick\n")
			for range 2 {
				h.must(h.StartService(t.Context()))
				h.eventually("running", func(o network.Observation) bool { return h.works(o) && o.Active() })
				s, err := h.StopFast(t.Context(), 10*time.Second)
				if err != nil || !s.Saved || len(s.Killed) != 1 {
					t.Fatalf("got %+v, %v", s, err)
				}
				t.Logf("%s: saved after %v, all in %v", name, s.SaveTook.Round(time.Millisecond), s.Took.Round(time.Millisecond))
				if o := h.see(); !settled(o) {
					t.Fatalf("after the fast stop: %+v", o)
				}
				time.Sleep(1500 * time.Millisecond) // longer than a supervisor waits
				if o := h.see(); !settled(o) {
					t.Fatalf("it came back: %+v", o)
				}
			}
		})
	}
}

func TestOpenRCRunlevels(t *testing.T) {
	h := newRCHost(t)
	if o := h.see(); o.ServiceTrouble == nil || !strings.Contains(o.ServiceTrouble.Error(), "does not exist") {
		t.Errorf("without a service: %+v", o)
	}
	h.install(byPID)
	for _, on := range []bool{true, false, true} {
		h.must(h.SetAutostart(t.Context(), on))
		if got, want := h.see().Enabled, map[bool]string{true: service.Yes, false: service.No}[on]; got != want {
			t.Errorf("enabled is %q, want %q; %s", got, want, h.run("rc-update -v show"))
		}
	}
	managers, found, err := service.Detect(t.Context(), h.runInside)
	if err != nil {
		t.Fatal(err)
	}
	want := service.Found{Kind: service.OpenRC, Unit: "zigbee2mqtt", State: network.ServiceStopped, Enabled: service.Yes,
		Data: h.dir + "/app/data", Program: h.dir + "/app"}
	if len(managers) == 0 || managers[0] != service.OpenRC || len(found) != 1 || fmt.Sprint(found[0]) != fmt.Sprint(want) {
		t.Errorf("found %v: %+v, want %+v", managers, found, want)
	}
}

// runInside runs a command as the host would that the set-up looks at.
func (h *rcHost) runInside(ctx context.Context, c remote.Command) (remote.Output, error) {
	words := append(strings.Fields(h.inside()), "sh", "-c", c.Line(remote.BecomeNone))
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return remote.Output{}, err
	}
	return remote.Output{Stdout: []byte(stdout.String()), Stderr: []byte(stderr.String()), Exit: cmd.ProcessState.ExitCode()}, nil
}
