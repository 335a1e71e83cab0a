package node_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/node"
	"z2mha/internal/host/service"
)

// TestMain lets the test program play the programs of a host: Zigbee2MQTT, npm around it,
// the part of a service manager that starts it again, and docker's templates.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAY") {
	case "":
		os.Exit(m.Run())
	case "zigbee2mqtt":
		playZigbee2MQTT()
	case "npm":
		playNPM()
	case "supervisor":
		playSupervisor()
	case "inspect":
		playInspect()
	}
}

// playZigbee2MQTT ends at once, or goes on until a TERM and then for the time of its
// closing backup. With TTY it holds that, and with SAVE it writes its state and database
// so long after the TERM.
func playZigbee2MQTT() {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	if tty := os.Getenv("TTY"); tty != "" {
		if _, err := os.OpenFile(tty, os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
			os.Exit(3)
		}
	}
	note("zigbee2mqtt")
	if os.Getenv("EXIT_AT_ONCE") != "" {
		os.Exit(1)
	}
	<-terms
	if save, err := time.ParseDuration(os.Getenv("SAVE")); err == nil {
		time.Sleep(save)
		saveAll()
	}
	backup, _ := time.ParseDuration(os.Getenv("BACKUP"))
	time.Sleep(backup)
}

// saveAll writes what Zigbee2MQTT writes before its closing backup, in its order.
func saveAll() {
	data := os.Getenv("ZIGBEE2MQTT_DATA")
	_ = os.WriteFile(data+"/state.json", []byte(`{"saved":true}`), 0o644)
	_ = os.WriteFile(data+"/database.db.tmp", []byte(`{"id":1,"saved":true}`+"\n"), 0o644)
	_ = os.Rename(data+"/database.db.tmp", data+"/database.db")
}

// playNPM passes a TERM on and ends with its child, or ends alone, as npm start does where
// the shell between them passes nothing on. A KILL leaves the child alone.
func playNPM() {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	note("npm")
	child := play("zigbee2mqtt")
	go func() {
		<-terms
		if os.Getenv("DEAF") != "" {
			os.Exit(143)
		}
		_ = child.Process.Signal(syscall.SIGTERM)
	}()
	_ = child.Wait()
}

// playSupervisor starts Zigbee2MQTT again whenever it ends, until a TERM.
func playSupervisor() {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	note("supervisor")
	for {
		child := play("zigbee2mqtt")
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		select {
		case <-terms:
			_ = child.Process.Signal(syscall.SIGTERM)
			<-ended
			return
		case <-ended:
		}
		select {
		case <-terms:
			return
		case <-time.After(50 * time.Millisecond): // RestartSec, respawn_delay …
		}
	}
}

func play(part string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "index.js")
	cmd.Env = append(os.Environ(), "PLAY="+part)
	if err := cmd.Start(); err != nil {
		os.Exit(1)
	}
	return cmd
}

// note leaves the process id for the scripts.
func note(part string) {
	dir := os.Getenv("HERE")
	id := []byte(strconv.Itoa(os.Getpid()) + "\n")
	_ = os.WriteFile(filepath.Join(dir, part+".pid"), id, 0o644)
}

// playInspect writes what the template in its last argument makes of container.json.
func playInspect() {
	functions := template.FuncMap{
		"json":  func(v any) string { b, _ := json.Marshal(v); return string(b) },
		"split": strings.Split,
	}
	raw, err := os.ReadFile(os.Getenv("HERE") + "/container.json")
	var c struct {
		State  struct{ Status string }
		Config struct {
			Env    []string
			Labels map[string]string
		}
		HostConfig struct {
			RestartPolicy struct{ Name string }
			AutoRemove    bool
			Devices       []struct{ PathOnHost, PathInContainer string }
		}
	}
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err == nil {
		if status, err := os.ReadFile(os.Getenv("HERE") + "/status"); err == nil {
			c.State.Status = strings.TrimSpace(string(status))
		}
		err = template.Must(template.New("").Funcs(functions).Parse(os.Args[len(os.Args)-1])).Execute(os.Stdout, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println()
}

// The scripts below go by the files that the processes leave in $HERE. A zombie does not
// count as running.
const scripts = `export HERE=%[1]s ZIGBEE2MQTT_DATA=%[2]s
bin=%[3]s
echo "$(basename "$0") $*" >>$HERE/calls
alive() { [ -s $HERE/$1.pid ] && readlink /proc/$(cat $HERE/$1.pid)/exe >/dev/null 2>&1; }
send() { alive $2 && kill -$1 $(cat $HERE/$2.pid); }
launch() { rm -f $HERE/$1.pid; PLAY=$1 setsid $bin index.js </dev/null >/dev/null 2>&1 & n=0
	while ! [ -s $HERE/$1.pid ] && [ $n -lt 500 ]; do sleep 0.02; n=$((n+1)); done; }
gone() { n=0; while alive $1 && [ $n -lt $2 ]; do sleep 0.1; n=$((n+1)); done; ! alive $1; }
`

// systemctl behaves like systemd with Restart=always: stop waits for the process, kill
// alone is followed by a restart.
const systemctl = scripts + `case $1 in
start) alive supervisor || launch supervisor;;
stop) send TERM supervisor; [ "$2" = --no-block ] || gone supervisor 600;;
kill) send KILL zigbee2mqtt;;
reset-failed) ;;
show) echo LoadState=loaded; echo Restart=always; echo UnitFileState=disabled
	if alive supervisor; then echo ActiveState=active; else echo ActiveState=inactive; fi;;
esac`

// rcServiceScript behaves like OpenRC on Alpine: it has a state of its own, gives up a
// stop after 0.3 s, and calls a service crashed when the process in the pid file is gone.
const rcServiceScript = scripts + `state() { cat $HERE/state 2>/dev/null || echo stopped; }
case $2 in
start) case $(state) in
	stopped) launch npm; echo started >$HERE/state; echo " * Starting $1 ... [ ok ]";;
	*) echo " * WARNING: $1 has already been started" >&2;;
	esac;;
stop) [ $(state) = stopped ] && { echo " * WARNING: $1 is already stopped" >&2; exit 0; }
	send TERM npm
	if gone npm 3; then echo stopped >$HERE/state; else echo " * ERROR: $1 failed to stop" >&2; exit 1; fi;;
zap) echo stopped >$HERE/state; echo " * Manually resetting $1 to stopped state";;
status) case $(state) in
	started) alive npm && { echo " * status: started"; exit 0; }; echo " * status: crashed" >&2; exit 32;;
	*) echo " * status: stopped"; exit 3;;
	esac;;
esac`

// rcServiceForgetful is OpenRC with dpkg's start-stop-daemon, as on Debian: it goes on
// saying started, whatever became of the process, and a stop that finds none fails.
const rcServiceForgetful = scripts + `state() { cat $HERE/state 2>/dev/null || echo stopped; }
case $2 in
start) launch npm; echo started >$HERE/state;;
stop) [ $(state) = stopped ] && exit 0
	alive npm || { echo "No node found running; none killed." >&2; echo " * ERROR: $1 failed to stop" >&2; exit 1; }
	send TERM npm
	if gone npm 3; then echo stopped >$HERE/state; else echo " * ERROR: $1 failed to stop" >&2; exit 1; fi;;
zap) echo stopped >$HERE/state;;
status) echo " * status: $(state)";;
esac`

// rcServiceSupervised is OpenRC with supervise-daemon.
const rcServiceSupervised = scripts + `case $2 in
start) alive supervisor || launch supervisor;;
stop) send TERM supervisor; gone supervisor 600;;
zap) ;;
status) if alive supervisor; then echo " * status: started 00:00:01 (0)"; else echo " * status: stopped"; exit 3; fi; echo supervisor=supervise-daemon;;
esac`

// dockerScript behaves like docker with restart: always. A container that was stopped or
// killed by a person's command is not started again.
const dockerScript = scripts + `case $1 in
start) alive supervisor || launch supervisor; echo running >$HERE/status; echo $2;;
stop) send TERM supervisor; gone supervisor $(($3 * 10)) || { send KILL supervisor; send KILL zigbee2mqtt; }; echo exited >$HERE/status;;
kill) if [ "$2" = -s ]; then alive supervisor || { echo "container $4 is not running" >&2; exit 1; }; send $3 supervisor; echo $4; exit; fi
	send KILL supervisor; send KILL zigbee2mqtt; echo exited >$HERE/status;;
container) shift 3; unset ZIGBEE2MQTT_DATA; PLAY=inspect $bin "$1";;
esac`

// under makes a place whose service manager is a script of that name, with its processes.
func under(t *testing.T, kind service.Kind, name, script string, env ...string) *place {
	t.Helper()
	p := newPlace(t, func(c *node.Config) {
		c.Service = service.Config{Kind: kind, Unit: "zigbee2mqtt"}
		c.Timeouts.Ending = 20 * time.Second
	})
	p.data(nil)
	here := t.TempDir()
	head := ""
	for _, e := range env {
		head += "export " + e + "\n"
	}
	p.fake(name, head+fmt.Sprintf(script, here, p.cfg.Data, os.Args[0]))
	write(t, here+"/container.json", `{"HostConfig":{"RestartPolicy":{"Name":"always"}},"Config":{"Labels":{"org.opencontainers.image.version":"2.14.1"}}}`)
	p.here = here
	t.Cleanup(func() { endAll(t, here) })
	return p
}

// endAll ends what the scripts started, those too that a supervisor has started just now.
func endAll(t *testing.T, here string) {
	for range 100 {
		left := playing(here)
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("processes of the test are left: %v", playing(here))
}

// playing are the processes that play a part in this place. A zombie has no environment.
func playing(here string) []int {
	var pids []int
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && strings.Contains("\x00"+environ(pid), "\x00HERE="+here+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

func environ(pid int) string {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return string(raw)
}

// calls are the words that the service manager was given after its name.
func (p *place) calls() []string {
	raw, _ := os.ReadFile(p.here + "/calls")
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

func (p *place) count(call string) (n int) {
	for _, c := range p.calls() {
		if strings.HasPrefix(c, call) {
			n++
		}
	}
	return n
}

func (p *place) see() network.Observation {
	p.t.Helper()
	o, err := p.Observe(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// eventually looks until what is seen is so.
func (p *place) eventually(what string, is func(network.Observation) bool) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is(p.see()) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not %s: %+v", what, p.see())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func runs(o network.Observation) bool { return o.Service == network.ServiceRunning && o.Runs() }

type manager struct {
	name   string
	kind   service.Kind
	script string
}

var managers = []manager{
	{"systemctl", service.Systemd, systemctl},
	{"rc-service", service.OpenRC, rcServiceScript},
	{"rc-service", service.OpenRC, rcServiceForgetful},
	{"rc-service", service.OpenRC, rcServiceSupervised},
	{"docker", service.Docker, dockerScript},
}

func eachManager(t *testing.T, test func(t *testing.T, m manager)) {
	for i, m := range managers {
		t.Run(fmt.Sprintf("%s %d", m.name, i), func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

func TestEveryManagerStartsAndStops(t *testing.T) {
	eachManager(t, func(t *testing.T, m manager) {
		p := under(t, m.kind, m.name, m.script)
		p.must(p.StartService(t.Context()))
		p.eventually("running", runs)
		p.must(p.StopService(t.Context()))
		if o := p.see(); !o.Stopped() || o.Service != network.ServiceStopped {
			t.Errorf("got %+v", o)
		}
		p.must(p.StartService(t.Context()))
		p.eventually("running again", runs)
	})
}

// A slow stop is one stop: the stick's memory takes time to save, and a second request
// would only hide that.
func TestASlowStopIsAskedForOnce(t *testing.T) {
	eachManager(t, func(t *testing.T, m manager) {
		p := under(t, m.kind, m.name, m.script, "BACKUP=2s")
		p.must(p.StartService(t.Context()))
		p.eventually("running", runs)
		p.must(p.StopService(t.Context()))
		if o := p.see(); !o.Stopped() {
			t.Errorf("stopped it says, but %s", o.WhyNotStopped())
		}
		stops := map[service.Kind]string{service.Systemd: "systemctl stop", service.OpenRC: "rc-service zigbee2mqtt stop", service.Docker: "docker stop"}
		if m.kind == service.OpenRC { // the one of Clear finds no process
			if n := p.count(stops[m.kind]); n > 2 {
				t.Errorf("%d stops: %q", n, p.calls())
			}
			return
		}
		if n := p.count(stops[m.kind]); n != 1 {
			t.Errorf("%d stops: %q", n, p.calls())
		}
	})
}

// The manager gave up and Zigbee2MQTT never ends: that is an error, and no proof of
// anything.
func TestAStopThatNeverEnds(t *testing.T) {
	p := under(t, service.OpenRC, "rc-service", rcServiceScript, "BACKUP=1h")
	p.cfg.Timeouts.Ending = 300 * time.Millisecond
	p.Node = p.connect()
	p.must(p.StartService(t.Context()))
	p.eventually("running", runs)
	wantError(t, p.StopService(t.Context()), "attic", "still not ended")
	if o := p.see(); o.Stopped() {
		t.Errorf("got %+v", o)
	}
	p.cfg.Timeouts.Ending = 20 * time.Second
	p.Node = p.connect()
	p.must(p.KillService(t.Context()))
	if o := p.see(); !o.Stopped() || o.Service != network.ServiceStopped {
		t.Errorf("after the kill %+v", o)
	}
}

func TestEveryManagerKills(t *testing.T) {
	eachManager(t, func(t *testing.T, m manager) {
		p := under(t, m.kind, m.name, m.script, "BACKUP=3s")
		p.must(p.StartService(t.Context()))
		p.eventually("running", runs)
		p.must(p.KillService(t.Context()))
		p.eventually("stopped", network.Observation.Stopped)
		time.Sleep(200 * time.Millisecond) // longer than any of the managers waits to start it again
		if o := p.see(); !o.Stopped() {
			t.Errorf("it came back: %s", o.WhyNotStopped())
		}
		p.must(p.StartService(t.Context()))
		p.eventually("running again", runs)
	})
}

// The pid file holds npm. When only that is gone, node has the stick still.
func TestAWrapperThatDiedLeavesZigbee2MQTTRunning(t *testing.T) {
	p := under(t, service.OpenRC, "rc-service", rcServiceScript)
	p.must(p.StartService(t.Context()))
	p.eventually("running", runs)
	raw, err := os.ReadFile(p.here + "/npm.pid")
	p.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	p.must(err)
	p.must(syscall.Kill(pid, syscall.SIGKILL))
	p.eventually("crashed, it says", func(o network.Observation) bool { return o.Service == network.ServiceFailed })
	if o := p.see(); o.Stopped() || len(o.DataHolders) == 0 {
		t.Errorf("a crash was taken for a stop: %+v", o)
	}
	p.must(p.KillService(t.Context()))
	if o := p.see(); !o.Stopped() || o.Service != network.ServiceStopped {
		t.Errorf("after the kill %+v", o)
	}
}

// npm obeys, Zigbee2MQTT never hears of it, and OpenRC calls the service stopped.
func TestAStopThatDoesNotReachZigbee2MQTT(t *testing.T) {
	for _, script := range []string{rcServiceScript, rcServiceForgetful} {
		p := under(t, service.OpenRC, "rc-service", script, "DEAF=1", "BACKUP=300ms")
		p.must(p.StartService(t.Context()))
		p.eventually("running", runs)
		p.must(p.StopService(t.Context()))
		if o := p.see(); !o.Stopped() || o.Service != network.ServiceStopped {
			t.Errorf("got %+v", o)
		}
	}
}

// A program that ends at once is started again and again: the manager says that it runs.
func TestAStartThatEndsAtOnce(t *testing.T) {
	for _, m := range managers {
		if m.script == rcServiceScript || m.script == rcServiceForgetful {
			continue // these start nothing again
		}
		t.Run(m.name, func(t *testing.T) {
			p := under(t, m.kind, m.name, m.script, "EXIT_AT_ONCE=1")
			p.must(p.StartService(t.Context()))
			p.eventually("running, it says", func(o network.Observation) bool { return o.Service == network.ServiceRunning })
			if o := p.see(); o.Stopped() {
				t.Errorf("between two restarts it was taken for stopped: %+v", o)
			}
			p.must(p.StopService(t.Context()))
			p.eventually("stopped", network.Observation.Stopped)
		})
	}
	t.Run("crashed", func(t *testing.T) {
		p := under(t, service.OpenRC, "rc-service", rcServiceScript, "EXIT_AT_ONCE=1")
		p.must(p.StartService(t.Context()))
		p.eventually("crashed, it says", func(o network.Observation) bool { return o.Service == network.ServiceFailed })
		p.must(p.StartService(t.Context())) // which OpenRC would refuse without a zap
		if p.count("rc-service zigbee2mqtt zap") != 1 {
			t.Errorf("no zap: %q", p.calls())
		}
	})
}

func TestObserveOfAContainer(t *testing.T) {
	p := under(t, service.Docker, "docker", dockerScript)
	p.must(p.StartService(t.Context()))
	o := p.see()
	if o.Enabled != service.Yes || o.Restart != "always" || o.Version != "2.14.1" || o.Disable != "docker update --restart no zigbee2mqtt" || o.ServiceTrouble != nil {
		t.Errorf("got %+v", o)
	}
	write(t, p.here+"/container.json", "")
	if o := p.see(); o.ServiceTrouble == nil || o.Service != network.ServiceUnknown {
		t.Errorf("got %+v", o)
	}
}
