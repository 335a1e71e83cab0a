package service_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"text/template"

	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
)

// sift runs the part of a status command behind the first "| " on what the manager would
// have written.
func sift(t *testing.T, kind service.Kind, said string) remote.Output {
	t.Helper()
	cmd, _ := manager(t, kind).Status()
	_, filter, ok := strings.Cut(cmd.Line(remote.BecomeNone), " | ")
	if !ok {
		t.Fatalf("no filter in %q", cmd.Line(remote.BecomeNone))
	}
	sh := exec.Command("sh", "-c", filter)
	sh.Stdin = strings.NewReader(said)
	out, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	return remote.Output{Stdout: out}
}

func TestOnlyTheWatchdogLeavesSystemdsEnvironment(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"alone", "Environment=Z2M_WATCHDOG=default", "default"},
		{"among others", "Environment=A=1 Z2M_WATCHDOG=0.5,1 SECRET=hunter2", "0.5,1"},
		{"before a quoted one", `Environment=Z2M_WATCHDOG=default "SECRET=hunter2 x"`, "default"},
		{"quoted", `Environment="SECRET=hunter2 x" "Z2M_WATCHDOG=1, 2"`, "1,"},
		{"empty", "Environment=Z2M_WATCHDOG= SECRET=hunter2", ""},
		{"not set", "Environment=SECRET=hunter2", ""},
		{"in the name of another", "Environment=NO_Z2M_WATCHDOG=hunter2", ""},
		{"without any", "Environment=", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := sift(t, service.Systemd, "LoadState=loaded\nActiveState=active\nRestart=always\n"+tt.line+"\n")
			if strings.Contains(string(out.Stdout), "hunter2") {
				t.Errorf("a secret left the host: %s", out.Stdout)
			}
			r := manager(t, service.Systemd).Report(out)
			if r.Watchdog != tt.want || r.Restart != "always" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestOpenRCReport(t *testing.T) {
	r := manager(t, service.OpenRC).Report(remote.Output{Stdout: []byte(` * status: started
               agetty |
          zigbee2mqtt |      default
Z2M_WATCHDOG="default"
supervisor="supervise-daemon"
`)})
	if r.Watchdog != "default" || r.Restart != "supervise-daemon" || r.Enabled != service.Yes || r.Trouble != nil {
		t.Errorf("got %+v", r)
	}
}

// inspect does what docker container inspect -f does, with the functions that docker and
// podman both give to templates.
func inspect(t *testing.T, text, container string) string {
	t.Helper()
	functions := template.FuncMap{
		"json":  func(v any) string { b, _ := json.Marshal(v); return string(b) },
		"split": strings.Split,
	}
	var value inspected
	if err := json.Unmarshal([]byte(container), &value); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := template.Must(template.New("").Funcs(functions).Parse(text)).Execute(&out, value); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

// inspected is the part of docker's answer that is of use, in the types that it has there.
type inspected struct {
	Name   string
	State  struct{ Status string }
	Config struct {
		Image  string
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		RestartPolicy struct{ Name string }
		AutoRemove    bool
		Devices       []struct{ PathOnHost, PathInContainer string }
	}
	Mounts []struct{ Source, Destination string }
}

func TestDockerReport(t *testing.T) {
	out := inspect(t, service.DockerStatus, `{
		"State": {"Status": "running"},
		"Config": {
			"Env": ["PATH=/bin", "MQTT_PASSWORD=hunter2", "Z2M_WATCHDOG=default", "ODD", "ZIGBEE2MQTT_DATA=/app/\"data\"\n"],
			"Labels": {"org.opencontainers.image.version": "2.14.1"}
		},
		"HostConfig": {
			"RestartPolicy": {"Name": "unless-stopped"},
			"Devices": [{"PathOnHost": "/dev/serial/by-id/usb-x", "PathInContainer": "/dev/ttyACM0"}]
		}}`)
	if strings.Contains(out, "hunter2") {
		t.Errorf("a secret left the host: %s", out)
	}
	r := manager(t, service.Docker).Report(remote.Output{Stdout: []byte(out)})
	if r.Enabled != service.Yes || r.Restart != "unless-stopped" || r.Watchdog != "default" || r.Version != "2.14.1" ||
		!maps.Equal(r.Devices, map[string]string{"/dev/ttyACM0": "/dev/serial/by-id/usb-x"}) || r.Trouble != nil {
		t.Errorf("got %+v from %s", r, out)
	}
}

func TestDockerReportOfABareContainer(t *testing.T) {
	r := manager(t, service.Docker).Report(remote.Output{Stdout: []byte(inspect(t, service.DockerStatus, `{"State": {"Status": "created"}}`))})
	if r.Trouble != nil || r.Enabled != service.No || r.Version != "" || len(r.Devices) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestTroubleIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind service.Kind
		out  remote.Output
		want []string
	}{
		{"a unit that is not there", service.Systemd, remote.Output{Stdout: []byte("LoadState=not-found\nActiveState=inactive\n")}, []string{"no unit zigbee2mqtt", "list-unit-files"}},
		{"no systemd", service.Systemd, remote.Output{Stderr: []byte("sh: 1: systemctl: not found\n")}, []string{"no systemd"}},
		{"another init", service.Systemd, remote.Output{Stderr: []byte("System has not been booted with systemd as init system (PID 1). Can't operate.\n")}, []string{"not been booted"}},
		{"a service that is not there", service.OpenRC, remote.Output{Stdout: []byte(" * rc-service: service `zigbee2mqtt' does not exist\n"), Exit: 1}, []string{"does not exist", "rc-service --list"}},
		{"no OpenRC", service.OpenRC, remote.Output{Stdout: []byte("sh: 1: rc-service: not found\n"), Exit: 127}, []string{"no OpenRC"}},
		{"no container", service.Docker, remote.Output{Stderr: []byte("Error response from daemon: No such container: zigbee2mqtt\n"), Exit: 1}, []string{"ask about", "no container zigbee2mqtt", "docker ps -a"}},
		{"no command", service.Commands, remote.Output{Stderr: []byte("sh: 1: z2m: not found\n"), Exit: 127}, []string{"z2m: not found", "status:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := manager(t, tt.kind).Report(tt.out)
			if r.Trouble == nil {
				t.Fatalf("got %+v", r)
			}
			for _, part := range tt.want {
				if !strings.Contains(r.Trouble.Error(), part) {
					t.Errorf("%q does not say %q", r.Trouble, part)
				}
			}
		})
	}
}
