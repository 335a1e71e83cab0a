package node_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/node"
	"z2mha/internal/host/service"
)

// withSerial is a stand-by whose own configuration names port, and a generation of
// the active.
func withSerial(t *testing.T, port string, change ...func(*node.Config)) (*place, generation.Generation, *depot) {
	t.Helper()
	active, p, d := newPlace(t), newPlace(t, change...), newDepot()
	active.data(nil)
	serial := "serial:\n  port: " + port + "\n"
	if port == "" {
		serial = ""
	}
	write(t, filepath.Join(p.cfg.Data, "configuration.yaml"), serial+"mqtt:\n  server: mqtt://localhost:1883\n")
	c := capture(t, active, d)
	return p, generation.Generation{Number: 7, Files: c.Files, Summary: c.Summary}, d
}

// Zigbee2MQTT opens serial.port of its own file; the stick that was loaded is dongle.
func TestStageComparesSerialPortWithDongle(t *testing.T) {
	dir := t.TempDir()
	dongle, other, link := filepath.Join(dir, "by-id"), filepath.Join(dir, "ttyUSB1"), filepath.Join(dir, "ttyUSB0")
	ours := func(c *node.Config) { c.Dongle = dongle }
	commands := func(c *node.Config) {
		ours(c)
		c.Service = service.Config{Kind: service.Commands, Start: "true", Stop: "true"}
	}
	docker := func(c *node.Config) {
		ours(c)
		c.Service = service.Config{Kind: service.Docker, Unit: "zigbee2mqtt"}
	}
	tcp := func(c *node.Config) { c.Dongle = "tcp://LocalHost:6638" }
	for _, tt := range []struct {
		name   string
		port   string
		change func(*node.Config)
		want   []string // of the refusal
		warns  string
	}{
		{"the same name", dongle, ours, nil, ""},
		{"none", "", ours, nil, ""},
		{"another name of the same stick", link, ours, nil, ""},
		{"another stick", other, ours, []string{other, dongle, "another stick", "serial.port", "dongle"}, ""},
		{"a stick that is not there", "/dev/ttyNOTHERE", ours, []string{"/dev/ttyNOTHERE", dongle, "does not exist"}, ""},
		{"a name within a container", "/dev/ttyNOTHERE", commands, nil, "/dev/ttyNOTHERE"},
		{"another stick, with commands", other, commands, []string{other, dongle}, ""},
		{"the container's name of the stick", "/dev/ttyINSIDE", docker, nil, ""},
		{"the container's name of another stick", "/dev/ttyOTHER", docker, []string{other, dongle, "another stick"}, ""},
		{"a name that docker does not tell", "/dev/ttyNOTHERE", docker, nil, "/dev/ttyNOTHERE"},
		{"the same address", "tcp://LOCALHOST:6638/", tcp, nil, ""},
		{"another scheme's name for it", "socket://localhost:6638", tcp, nil, ""},
		{"another address", "tcp://localhost:6639", tcp, []string{"localhost:6639", "another stick"}, ""},
		{"a tty instead of an address", "/dev/ttyNOTHERE", tcp, []string{"/dev/ttyNOTHERE", "tcp://"}, ""},
		{"an address instead of a tty", "tcp://192.0.2.7:6638", ours, []string{"tcp://192.0.2.7:6638", dongle}, ""},
		{"an address, with commands", "tcp://192.0.2.7:6638", commands, []string{"tcp://192.0.2.7:6638", dongle}, ""},
		{"an address to be discovered", "mdns://slzb-06", ours, []string{"mdns://slzb-06", dongle}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, g, d := withSerial(t, tt.port, tt.change)
			p.fake("docker", fmt.Sprintf(`echo '{"status":"exited","devices":[["%s","/dev/ttyINSIDE"],["%s","/dev/ttyOTHER"],[]]}'`, dongle, other))
			if p.cfg.Dongle == dongle {
				plug(t, p, znpsim.FormedImage(identity))
				second := *p
				second.cfg.Dongle = other
				plug(t, &second, znpsim.FormedImage(identity))
				_ = os.Remove(link)
				if err := os.Symlink(dongle, link); err != nil {
					t.Fatal(err)
				}
			}
			r, err := p.Stage(t.Context(), g, d, nil)
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				warned := strings.Contains(strings.Join(r.Warnings, "\n"), "serial.port")
				if warned != (tt.warns != "") || !strings.Contains(strings.Join(r.Warnings, "\n"), tt.warns) {
					t.Errorf("warnings %q", r.Warnings)
				}
				return
			}
			var refused *network.RefusedError
			if !errors.As(err, &refused) || refused.Remedy == "" {
				t.Errorf("got %v", err)
			}
			wantError(t, err, tt.want...)
			if there, _ := os.ReadDir(p.cfg.Data + ".z2mha-staging"); len(there) > 0 {
				t.Error("sent files all the same")
			}
		})
	}
}
