package service_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
)

// shell runs commands on this machine, with scripts in place of the programs named, and
// notes the command lines.
func shell(t *testing.T, fakes map[string]string) (run func(context.Context, remote.Command) (remote.Output, error), lines *[]string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range fakes {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lines = &[]string{}
	return func(ctx context.Context, c remote.Command) (remote.Output, error) {
		*lines = append(*lines, c.Line(remote.BecomeNone))
		var stdout, stderr strings.Builder
		cmd := exec.CommandContext(ctx, "sh", "-c", c.Line(remote.BecomeNone))
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return remote.Output{}, err
		}
		return remote.Output{Stdout: []byte(stdout.String()), Stderr: []byte(stderr.String()), Exit: cmd.ProcessState.ExitCode()}, nil
	}, lines
}

func TestManagers(t *testing.T) {
	for said, want := range map[string][]service.Kind{
		"":                          nil,
		"docker\nsystemd\n":         {service.Systemd, service.Docker},
		"openrc\n":                  {service.OpenRC},
		"<h1>\ndocker.sock upstart": nil,
	} {
		if diff := cmp.Diff(want, service.ParseManagers([]byte(said))); diff != "" {
			t.Errorf("%q: %s", said, diff)
		}
	}
}

func TestDetectOnABareHost(t *testing.T) {
	run, _ := shell(t, nil)
	kinds, found, err := service.Detect(t.Context(), func(ctx context.Context, c remote.Command) (remote.Output, error) {
		return remote.Output{}, nil
	})
	if kinds != nil || found != nil || err != nil {
		t.Errorf("got %v, %v, %v", kinds, found, err)
	}
	if _, _, err := service.Detect(t.Context(), run); err != nil {
		t.Errorf("on this machine: %v", err)
	}
	lost := errors.New("lost")
	_, _, err = service.Detect(t.Context(), func(context.Context, remote.Command) (remote.Output, error) { return remote.Output{}, lost })
	if !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

// systemctlFound plays a host with a unit by the guide, one of another name, and one that
// only requires it.
const systemctlFound = `case $1 in
list-unit-files) echo "zigbee2mqtt.service enabled enabled"; echo "zigbee2mqtt@.service disabled disabled"; echo "--root=/.service x"; echo "z2mha.service enabled enabled";;
list-units) echo "zigbee2mqtt@attic.service loaded active running Zigbee"; echo "zigbee2mqtt.service loaded active running Zigbee";;
show) cat <<'TXT'
Id=zigbee2mqtt.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
Restart=always
WorkingDirectory=/opt/zigbee2mqtt
ExecStart={ path=/usr/bin/node ; argv[]=/usr/bin/node index.js --password hunter2 ; ignore_errors=no ; pid=7 }
Environment=NODE_ENV=production Z2M_WATCHDOG=default "SECRET=hunter2 two"

Id=zigbee2mqtt@attic.service
LoadState=loaded
ActiveState=inactive
UnitFileState=disabled
Restart=no
WorkingDirectory=!/srv/z2m
ExecStart={ path=/usr/bin/node ; argv[]=/usr/bin/node /srv/app/index.js ; ignore_errors=no }
Environment="ZIGBEE2MQTT_DATA=/srv/attic" MQTT_PASSWORD=hunter2
TXT
esac`

func TestDetectSystemd(t *testing.T) {
	run, lines := shell(t, map[string]string{"systemctl": systemctlFound})
	found, err := service.DetectSystemd(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	want := []service.Found{
		{Kind: service.Systemd, Unit: "zigbee2mqtt", State: network.ServiceRunning, Enabled: service.Yes, Restart: "always",
			Watchdog: "default", Data: "/opt/zigbee2mqtt/data", Program: "/opt/zigbee2mqtt"},
		{Kind: service.Systemd, Unit: "zigbee2mqtt@attic", State: network.ServiceStopped, Enabled: service.No, Restart: "no",
			Data: "/srv/attic", Program: "/srv/z2m"},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if last := (*lines)[len(*lines)-1]; !strings.Contains(last, "-- zigbee2mqtt.service zigbee2mqtt@attic.service |") {
		t.Errorf("asked %s", last)
	}
}

// What does not concern us must not leave the host.
func TestDetectSystemdLeavesSecretsThere(t *testing.T) {
	run, _ := shell(t, map[string]string{"systemctl": systemctlFound})
	_, err := service.DetectSystemd(t.Context(), func(ctx context.Context, c remote.Command) (remote.Output, error) {
		out, err := run(ctx, c)
		if strings.Contains(string(out.Stdout), "hunter2") {
			t.Errorf("a secret left the host: %s", out.Stdout)
		}
		return out, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestParseUnitsOfHostileOutput(t *testing.T) {
	for _, text := range []string{
		"", "\n\n\n\n", "Id=\n", "Id=<b>x</b>.service\nLoadState=loaded\n", "Id=-x.service\n", "Id=" + strings.Repeat("a", 300) + ".service\n",
		"Id=gone.service\nLoadState=not-found\n", "no equals sign\n\x00\xff\n",
	} {
		if found := service.ParseUnits([]byte(text)); len(found) != 0 {
			t.Errorf("%q gave %+v", text, found)
		}
	}
	found := service.ParseUnits([]byte("Id=x.service\nZIGBEE2MQTT_DATA=$HOME/x\nWorkingDirectory=../x\n\nId=x.service\n"))
	if len(found) != 1 || found[0].Data != "" || found[0].Program != "" {
		t.Errorf("got %+v", found)
	}
}

func TestParseScript(t *testing.T) {
	for _, tt := range []struct {
		name, said string
		want       service.Found
	}{
		{"npm start in a folder", "directory=\"/opt/zigbee2mqtt\"\ncommand=/usr/bin/npm\n * status: started\n  zigbee2mqtt |  default\n",
			service.Found{State: network.ServiceRunning, Enabled: service.Yes, Program: "/opt/zigbee2mqtt", Data: "/opt/zigbee2mqtt/data"}},
		{"data of its own", "ZIGBEE2MQTT_DATA='/srv/data'\ndirectory=/opt/z\n * status: stopped\n  zigbee2mqtt |\n",
			service.Found{State: network.ServiceStopped, Enabled: service.No, Program: "/opt/z", Data: "/srv/data"}},
		{"a script", "script=/usr/lib/z2m/index.js\nsupervisor=supervise-daemon\nZ2M_WATCHDOG=1\n * status: crashed\n",
			service.Found{State: network.ServiceFailed, Restart: "supervise-daemon", Watchdog: "1", Data: "/usr/lib/z2m/data"}},
		{"variables", "directory=\"${HOME}/z\"\n * status: stopped\n", service.Found{State: network.ServiceStopped}},
		{"nothing of use", "<html>\x00", service.Found{State: network.ServiceUnknown}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Kind, tt.want.Unit = service.OpenRC, "zigbee2mqtt"
			got := service.ParseScript("zigbee2mqtt", remote.Output{Stdout: []byte(tt.said)})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const foundContainer = `{"Name": "/z2m", "State": {"Status": "running"},
 "Config": {"Image": "koenkk/zigbee2mqtt:2.14.1", "Env": ["MQTT_PASSWORD=hunter2", "Z2M_WATCHDOG=default"]},
 "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}, "Devices": [{"PathOnHost": "/dev/ttyACM0", "PathInContainer": "/dev/ttyACM0"}]},
 "Mounts": [{"Source": "/run/udev", "Destination": "/run/udev"}, {"Source": "/srv/z2m", "Destination": "/app/data"}]}`

func TestDetectDocker(t *testing.T) {
	answer := inspect(t, service.DockerFound, foundContainer)
	if strings.Contains(answer, "hunter2") {
		t.Errorf("a secret left the host: %s", answer)
	}
	run, lines := shell(t, map[string]string{"docker": `case $1 in
ps) echo "z2m koenkk/zigbee2mqtt:2.14.1"; echo "mosquitto eclipse-mosquitto"; echo "--privileged zigbee2mqtt"; echo;;
container) cat <<'TXT'
` + answer + `TXT
esac`})
	found, err := service.DetectDocker(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	want := []service.Found{{Kind: service.Docker, Unit: "z2m", State: network.ServiceRunning, Enabled: service.Yes, Restart: "unless-stopped",
		Watchdog: "default", Data: "/srv/z2m", Image: "koenkk/zigbee2mqtt:2.14.1", Devices: []string{"/dev/ttyACM0"}}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if last := (*lines)[len(*lines)-1]; !strings.HasSuffix(last, " z2m") {
		t.Errorf("asked %s", last)
	}
}

func TestDetectDockerThatCannotBeAsked(t *testing.T) {
	run, _ := shell(t, map[string]string{"docker": "echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1"})
	_, err := service.DetectDocker(t.Context(), run)
	var refused *network.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Remedy, "become") {
		t.Errorf("got %v", err)
	}
}

func TestParseFoundOfHostileOutput(t *testing.T) {
	for _, text := range []string{"", "\n", "[]\n", "null\n", `{"name":"<script>"}`, `{"name":7}`, `{"name":"/-f"}`, "{", `{"name":"/x","mounts":"none"}`} {
		if found := service.ParseFound([]byte(text)); len(found) != 0 {
			t.Errorf("%q gave %+v", text, found)
		}
	}
	found := service.ParseFound([]byte(`{"name":"/x","mounts":[["a"],["relative","/app/data"],["/srv/app","/app"],[]],"devices":[[],["/dev/x"],["/dev/y","/dev/z"]],"env":[""]}`))
	if len(found) != 1 || found[0].Data != "/srv/app/data" || len(found[0].Devices) != 1 {
		t.Errorf("got %+v", found)
	}
}

func FuzzDetect(f *testing.F) {
	f.Add("Id=zigbee2mqtt.service\nLoadState=loaded\n")
	f.Add(` * status: started`)
	f.Add(`{"name":"/x","mounts":[["/a","/app/data"]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		all := append(service.ParseUnits([]byte(text)), service.ParseFound([]byte(text))...)
		all = append(all, service.ParseScript("zigbee2mqtt", remote.Output{Stdout: []byte(text)}))
		for _, found := range all {
			if found.Data != "" && !filepath.IsAbs(found.Data) || strings.ContainsAny(found.Unit, " \n<>'\"$;") {
				t.Errorf("%+v", found)
			}
		}
	})
}
