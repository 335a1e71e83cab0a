package service_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
)

var configs = map[service.Kind]service.Config{
	service.Systemd:  {Kind: service.Systemd, Unit: "zigbee2mqtt"},
	service.OpenRC:   {Kind: service.OpenRC, Unit: "zigbee2mqtt"},
	service.Docker:   {Kind: service.Docker, Unit: "zigbee2mqtt"},
	service.Commands: {Kind: service.Commands, Start: "z2m up &", Stop: "z2m down", Status: "z2m is-up", Kill: "z2m kill"},
}

func manager(t *testing.T, kind service.Kind) service.Manager {
	t.Helper()
	m, err := service.New(configs[kind])
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCommandLines(t *testing.T) {
	for kind, want := range map[service.Kind][]string{
		service.Systemd: {
			"sudo -n -- systemctl stop zigbee2mqtt",
			"sudo -n -- systemctl start zigbee2mqtt",
			`systemctl show -p Id,LoadState,ActiveState,SubState,MainPID,UnitFileState,Restart,Environment,WantedBy,RequiredBy,BoundBy,UpheldBy,TriggeredBy zigbee2mqtt` +
				` | sed 's/^Environment=\(.*[ "]\)\{0,1\}\(Z2M_WATCHDOG=[^ "]*\).*/\2/;/^Environment=/d'`,
			"sudo -n -- /bin/sh -c 'systemctl stop --no-block zigbee2mqtt; systemctl kill -s KILL zigbee2mqtt'",
			"sudo -n -- systemctl reset-failed zigbee2mqtt",
		},
		service.OpenRC: {
			"sudo -n -- rc-service zigbee2mqtt stop",
			"sudo -n -- rc-service zigbee2mqtt start",
			`sudo -n -- /bin/sh -c 'rc-service zigbee2mqtt status 2>&1; s=$?; rc-update -v show; ` +
				`sed -n '\''s/^[^#]*\(Z2M_WATCHDOG=[^ ;]*\).*/\1/p;/^supervisor=/p'\'' ` +
				`/etc/init.d/zigbee2mqtt /etc/conf.d/zigbee2mqtt 2>/dev/null; exit $s'`,
			"-",
			"sudo -n -- /bin/sh -c 'rc-service zigbee2mqtt stop; rc-service zigbee2mqtt zap'",
		},
		service.Docker: {
			"sudo -n -- docker stop -t 45 zigbee2mqtt",
			"sudo -n -- docker start zigbee2mqtt",
			"sudo -n -- docker container inspect -f " + remote.Quote(service.DockerStatus) + " zigbee2mqtt",
			"sudo -n -- docker kill zigbee2mqtt",
			"-",
		},
		service.Commands: {
			"sudo -n -- /bin/sh -c 'z2m down'",
			"sudo -n -- /bin/sh -c 'z2m up &'",
			"sudo -n -- /bin/sh -c 'z2m is-up'",
			"sudo -n -- /bin/sh -c 'z2m kill'",
			"-",
		},
	} {
		m := manager(t, kind)
		got := []string{m.Stop().Line(remote.BecomeSudo), m.Start().Line(remote.BecomeSudo)}
		for _, optional := range []func() (remote.Command, bool){m.Status, m.Kill, m.Clear} {
			line := "-"
			if cmd, ok := optional(); ok {
				line = cmd.Line(remote.BecomeSudo)
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

func TestState(t *testing.T) {
	show := func(load, active, sub string) string {
		return "LoadState=" + load + "\nActiveState=" + active + "\nSubState=" + sub + "\nMainPID=0\nUnitFileState=disabled\n"
	}
	for _, tt := range []struct {
		name string
		kind service.Kind
		out  string
		exit int
		want network.ServiceState
	}{
		{"runs", service.Systemd, show("loaded", "active", "running"), 0, network.ServiceRunning},
		{"is still stopping", service.Systemd, show("loaded", "deactivating", "stop-sigterm"), 0, network.ServiceRunning},
		{"waits for its automatic restart", service.Systemd, show("loaded", "activating", "auto-restart"), 0, network.ServiceRunning},
		{"is stopped", service.Systemd, show("loaded", "inactive", "dead"), 0, network.ServiceStopped},
		{"is masked and stopped", service.Systemd, show("masked", "inactive", "dead"), 0, network.ServiceStopped},
		{"has failed", service.Systemd, show("loaded", "failed", "failed"), 0, network.ServiceFailed},
		{"has no unit", service.Systemd, show("not-found", "inactive", "dead"), 0, network.ServiceUnknown},
		{"has no manager", service.Systemd, "", 127, network.ServiceUnknown},
		{"runs", service.OpenRC, " * status: started\n", 0, network.ServiceRunning},
		{"is stopped", service.OpenRC, " * status: stopped\n", 3, network.ServiceStopped},
		{"runs under a supervisor", service.OpenRC, " * status: started 00:10:02 (0)\n", 0, network.ServiceRunning},
		{"is stopping", service.OpenRC, " * status: stopping\n", 4, network.ServiceRunning},
		{"has crashed", service.OpenRC, " * status: crashed\n", 32, network.ServiceFailed},
		{"has lost its supervisor", service.OpenRC, " * status: unsupervised\n", 64, network.ServiceFailed},
		{"does not exist", service.OpenRC, "", 1, network.ServiceUnknown},
		{"runs", service.Docker, `{"status":"running"}`, 0, network.ServiceRunning},
		{"waits for its automatic restart", service.Docker, `{"status":"restarting"}`, 0, network.ServiceRunning},
		{"is frozen", service.Docker, `{"status":"paused"}`, 0, network.ServiceRunning},
		{"was never started", service.Docker, `{"status":"created"}`, 0, network.ServiceStopped},
		{"is stopped", service.Docker, "Emulate Docker CLI using podman.\n{\"status\":\"exited\"}\n", 0, network.ServiceStopped},
		{"could not be removed", service.Docker, `{"status":"dead"}`, 0, network.ServiceFailed},
		{"is in a state of the future", service.Docker, `{"status":"dreaming"}`, 0, network.ServiceUnknown},
		{"gives no JSON", service.Docker, "<no value>\n", 0, network.ServiceUnknown},
		{"does not exist", service.Docker, "", 1, network.ServiceUnknown},
		{"runs", service.Commands, "", 0, network.ServiceRunning},
		{"is stopped", service.Commands, "", 3, network.ServiceStopped},
		{"has a broken status command", service.Commands, "", 127, network.ServiceUnknown},
	} {
		t.Run(string(tt.kind)+" "+tt.name, func(t *testing.T) {
			got := manager(t, tt.kind).Report(remote.Output{Stdout: []byte(tt.out), Exit: tt.exit})
			if got.State != tt.want || got.State != network.ServiceUnknown && got.Trouble != nil {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}

func TestEnabled(t *testing.T) {
	for _, tt := range []struct {
		kind service.Kind
		out  string
		exit int
		want string
	}{
		{service.Systemd, "LoadState=loaded\nUnitFileState=enabled\n", 0, "yes"},
		{service.Systemd, "LoadState=loaded\nUnitFileState=enabled-runtime\n", 0, "no"}, // until the next boot
		{service.Systemd, "LoadState=loaded\nUnitFileState=disabled\n", 0, "no"},
		{service.Systemd, "LoadState=masked\nUnitFileState=masked\n", 0, "masked"},
		{service.Systemd, "LoadState=masked\nUnitFileState=masked-runtime\n", 0, "masked"},
		{service.Systemd, "LoadState=loaded\nUnitFileState=static\n", 0, ""}, // another unit may pull it in
		{service.Systemd, "LoadState=loaded\nUnitFileState=generated\n", 0, ""},
		{service.Systemd, "LoadState=not-found\nUnitFileState=\n", 0, ""},
		{service.Systemd, "", 127, ""},
		{service.OpenRC, " * status: started\n", 0, ""},
		{service.OpenRC, " * status: started\n   zigbee2mqtt |      default   \n", 0, "yes"},
		{service.OpenRC, " * status: stopped\n   zigbee2mqtt |     \n", 3, "no"},
		{service.OpenRC, " * status: stopped\n   zigbee2mqtt |  shutdown  \n", 3, "no"},
		{service.OpenRC, "Zigbee2MQTT is running\n zigbee2mqtt | default\n", 0, "yes"}, // a status of its own
		{service.OpenRC, " * status: stopped\n  my-zigbee2mqtt |  default  \n", 3, ""},
		{service.Docker, `{"status":"exited","restart":"no"}`, 0, "no"},
		{service.Docker, `{"status":"exited","restart":""}`, 0, "no"},
		{service.Docker, `{"status":"exited","restart":"always"}`, 0, "yes"},
		{service.Docker, `{"status":"exited","restart":"unless-stopped"}`, 0, "yes"},
		{service.Docker, `{"status":"exited","restart":"on-failure"}`, 0, "yes"}, // also at boot, says moby
		{service.Docker, `{"status":"exited","restart":"whatever"}`, 0, ""},
		{service.Commands, "", 0, ""},
	} {
		got := manager(t, tt.kind).Report(remote.Output{Stdout: []byte(tt.out), Exit: tt.exit}).Enabled
		if got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.kind, tt.out, got, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind service.Kind
		verb service.Verb
		said string
		exit int
		want string
	}{
		{"a masked unit", service.Systemd, service.VerbStart, "Failed to start zigbee2mqtt.service: Unit zigbee2mqtt.service is masked.", 1,
			`start zigbee2mqtt: Failed to start zigbee2mqtt.service: Unit zigbee2mqtt.service is masked.; run "systemctl unmask zigbee2mqtt" on the host`},
		{"a unit of another name", service.Systemd, service.VerbStop, "Failed to stop zigbee2mqtt.service: Unit zigbee2mqtt.service not loaded.", 5,
			`stop zigbee2mqtt: Failed to stop zigbee2mqtt.service: Unit zigbee2mqtt.service not loaded.; check the name of the unit with "systemctl list-unit-files"`},
		{"the ghost error of a stop", service.OpenRC, service.VerbStop, " * ERROR: zigbee2mqtt failed to stop", 1, ""},
		{"a start that failed", service.OpenRC, service.VerbStart, " * ERROR: zigbee2mqtt failed to start", 1,
			`start zigbee2mqtt: * ERROR: zigbee2mqtt failed to start; see "rc-service zigbee2mqtt status" and the log on the host`},
		{"a service of another name", service.OpenRC, service.VerbStop, "rc-service: service `zigbee2mqtt' does not exist", 1,
			"stop zigbee2mqtt: rc-service: service `zigbee2mqtt' does not exist; check the name of the service with \"rc-service --list\""},
		{"a command that failed", service.Commands, service.VerbStart, "no such container", 1,
			"start Zigbee2MQTT: the configured command ended with status 1: no such container; try the command on the host by hand"},
		{"a container of another name", service.Docker, service.VerbStop, "Error response from daemon: No such container: zigbee2mqtt", 1,
			`stop the container zigbee2mqtt: there is no container zigbee2mqtt; check its name with "docker ps -a" and write it into container:`},
		{"a container of another name under podman", service.Docker, service.VerbStop, `Error: no container with name or ID "zigbee2mqtt" found: no such container`, 125,
			`stop the container zigbee2mqtt: there is no container zigbee2mqtt; check its name with "docker ps -a" and write it into container:`},
		{"a daemon that is down", service.Docker, service.VerbStart, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", 1,
			"start the container zigbee2mqtt: the docker daemon does not run; start docker on the host and enable it there"},
		{"a user outside the group", service.Docker, service.VerbStart, "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", 1,
			"start the container zigbee2mqtt: this user may not talk to docker; set become: sudo or doas for this node, or add the user to the group docker"},
		{"a stick that is not there", service.Docker, service.VerbStart, `Error response from daemon: error gathering device information while adding custom device "/dev/ttyUSB0": no such file or directory`, 1,
			`start the container zigbee2mqtt: Error response from daemon: error gathering device information while adding custom device "/dev/ttyUSB0": no such file or directory; plug the stick in, or create the container again with the name it has now`},
		{"no docker", service.Docker, service.VerbStart, "sh: 1: docker: not found", 127,
			"start the container zigbee2mqtt: sh: 1: docker: not found; this host has no docker: choose another kind of service"},
		{"success", service.Systemd, service.VerbStart, "", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := manager(t, tt.kind).Judge(tt.verb, remote.Output{Stderr: []byte(tt.said), Exit: tt.exit})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAutostartAndDisable(t *testing.T) {
	for kind, want := range map[service.Kind][]string{
		service.Systemd: {"systemctl enable zigbee2mqtt", "u=zigbee2mqtt; i=$(systemctl show -p Id", "systemctl disable zigbee2mqtt"},
		service.OpenRC:  {"rc-update add zigbee2mqtt default", "rc-update --all del zigbee2mqtt; true", "rc-update --all del zigbee2mqtt"},
		service.Docker:  {"docker update --restart unless-stopped zigbee2mqtt", "docker update --restart no zigbee2mqtt", "docker update --restart no zigbee2mqtt"},
	} {
		m := manager(t, kind)
		a, ok := m.(interface {
			Autostart(on bool) (remote.Command, bool)
		})
		if !ok {
			t.Errorf("%s cannot be asked", kind)
			continue
		}
		on, ok1 := a.Autostart(true)
		off, ok2 := a.Autostart(false)
		asked, _, _ := strings.Cut(off.Line(remote.BecomeNone), ` "$u"`) // the rest is tried below
		got := []string{on.Line(remote.BecomeNone), asked, m.Disable()}
		if diff := cmp.Diff(want, got); diff != "" || !ok1 || !ok2 || !on.Become || !off.Become {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

// What starts a unit that is not enabled, and names that are not a unit's own.
func TestSystemdMisleads(t *testing.T) {
	for _, tt := range []struct{ name, out, startedBy, trouble string }{
		{"enabled", "Id=zigbee2mqtt.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nWantedBy=multi-user.target\n", "", ""},
		{"wanted by another", "Id=zigbee2mqtt.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nWantedBy=mosquitto.service\nRequiredBy=home.service mosquitto.service\n", "home.service mosquitto.service", ""},
		{"generated", "Id=zigbee2mqtt.service\nLoadState=loaded\nActiveState=active\nUnitFileState=generated\nWantedBy=default.target\n", "default.target", ""},
		{"started by a timer", "Id=zigbee2mqtt.service\nLoadState=loaded\nActiveState=active\nUnitFileState=static\nTriggeredBy=zigbee2mqtt.timer\n", "zigbee2mqtt.timer", ""},
		{"masked", "Id=zigbee2mqtt.service\nLoadState=masked\nActiveState=inactive\nUnitFileState=masked\nWantedBy=mosquitto.service\n", "", ""},
		{"another name", "Id=z2m.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", "", "z2m.service"},
		{"not there", "Id=zigbee2mqtt.service\nLoadState=not-found\nActiveState=inactive\n", "", "there is no unit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := manager(t, service.Systemd).Report(remote.Output{Stdout: []byte(tt.out)})
			said := ""
			if got.Trouble != nil {
				said = got.Trouble.Why
			}
			if got.StartedBy != tt.startedBy || !strings.Contains(said, tt.trouble) || (said == "") != (tt.trouble == "") {
				t.Errorf("started by %q, trouble %q", got.StartedBy, said)
			}
		})
	}
}

func TestContainerThatIsGoneWhenItStops(t *testing.T) {
	got := manager(t, service.Docker).Report(remote.Output{Stdout: []byte(`{"status":"running","restart":"no","rm":true}`)})
	if got.Trouble == nil || !strings.Contains(got.Trouble.Why, "--rm") || got.State != network.ServiceRunning {
		t.Errorf("got %+v", got)
	}
}

// systemctlLinks is what systemctl does with links, as seen with systemd 252: disable
// removes all that lead to the unit file.
const systemctlLinks = `case $1 in
show) for u; do :; done; case $3 in Id) echo Id=zigbee2mqtt.service;; *) echo FragmentPath=$HERE/units/zigbee2mqtt.service;; esac;;
disable) rm -f "$HERE/wants/zigbee2mqtt.service"; if [ -L "$HERE/units/zigbee2mqtt.service" ]; then rm "$HERE/units/zigbee2mqtt.service"; fi;;
cat) [ -e "$HERE/units/zigbee2mqtt.service" ];;
link) ln -s "$2" "$HERE/units/";;
esac`

func TestDisableKeepsTheUnit(t *testing.T) {
	for _, linked := range []bool{true, false} {
		here := t.TempDir()
		at := func(name string) string { return filepath.Join(here, name) }
		file := at("units/zigbee2mqtt.service")
		if linked {
			file = at("opt/zigbee2mqtt.service")
		}
		err := errors.Join(os.MkdirAll(at("units"), 0o755), os.MkdirAll(at("wants"), 0o755), os.MkdirAll(at("opt"), 0o755),
			os.WriteFile(file, []byte("[Service]\n"), 0o644), os.Symlink(file, at("wants/zigbee2mqtt.service")))
		if linked {
			err = errors.Join(err, os.Symlink(file, at("units/zigbee2mqtt.service")))
		}
		if err != nil {
			t.Fatal(err)
		}
		run, _ := shell(t, map[string]string{"systemctl": "HERE=" + here + "\n" + systemctlLinks})
		off, _ := manager(t, service.Systemd).Autostart(false)
		off.Become = false
		if out, err := run(t.Context(), off); err != nil || out.Exit != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		if _, err := os.Stat(at("units/zigbee2mqtt.service")); err != nil {
			t.Errorf("linked %t: the unit is lost: %v", linked, err)
		}
		if _, err := os.Lstat(at("wants/zigbee2mqtt.service")); err == nil {
			t.Errorf("linked %t: it still starts at boot", linked)
		}
	}
}

func TestDisableRefusesAnotherName(t *testing.T) {
	run, _ := shell(t, map[string]string{"systemctl": `case $1 in show) echo Id=z2m.service;; *) echo "called $1";; esac`})
	off, _ := manager(t, service.Systemd).Autostart(false)
	if out, err := run(t.Context(), off); err != nil || out.Exit == 0 || strings.Contains(string(out.Stdout), "called") || !strings.Contains(out.Said(), "z2m.service") {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []service.Config{
		{Kind: "runit", Unit: "x"}, {Kind: service.Docker}, {Kind: service.Systemd}, {Kind: service.OpenRC}, {Kind: service.Commands, Start: "x"},
	} {
		if _, err := service.New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestFastStopOfEachKind(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    service.Config
		want service.Fast
	}{
		{"systemd begins a stop and waits for the same one", service.Config{Kind: service.Systemd, Unit: "zigbee 2"},
			service.Fast{Ask: "systemctl stop --no-block 'zigbee 2'", Settle: "systemctl stop 'zigbee 2'; systemctl reset-failed 'zigbee 2'"}},
		{"OpenRC may not reach the process, and is made to forget it", service.Config{Kind: service.OpenRC, Unit: "z"},
			service.Fast{Ask: "rc-service z stop || true", Term: true,
				Settle: "rc-service z status; [ $? = 3 ] || { rc-service z stop; rc-service z zap; }"}},
		{"docker sends the signal itself", service.Config{Kind: service.Docker, Unit: "z"},
			service.Fast{Ask: "docker kill -s TERM z", Settle: "docker stop -t 1 z"}},
		{"commands are the user's own", service.Config{Kind: service.Commands, Start: "up", Stop: "down -v"},
			service.Fast{Ask: "down -v"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := service.New(tt.c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, m.Fast()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
