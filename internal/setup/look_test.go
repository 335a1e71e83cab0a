package setup_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/setup"
	"z2mha/internal/storage/durable"
)

func fingerprintOf(key ssh.PublicKey) string { return ssh.FingerprintSHA256(key) }

// readOnly makes every change below dir fail.
func readOnly(dir string) func(durable.Op, string) error {
	return func(_ durable.Op, path string) error {
		if strings.HasPrefix(path, dir) {
			return syscall.EROFS
		}
		return nil
	}
}

func TestEveryFieldSaysWhatIsWrong(t *testing.T) {
	s := newScene(t)
	good := url.Values{"network": {"home"}, "node": {"attic"}, "host": {"h"}, "port": {"22"}, "user": {"z2mha"}, "become": {"sudo"}}
	for _, tt := range []struct{ name, field, value, want string }{
		{"an empty name", "node", "", "is missing"},
		{"a name in capitals", "network", "Home", "use only a-z"},
		{"a reserved name", "node", "blobs", "choose another name"},
		{"HTML", "node", "<b>x</b>", "use only a-z"},
		{"a long name", "node", strings.Repeat("a", 300), "longer than 100 characters"},
		{"no host name", "host", "pi@attic", "not a host name"},
		{"a port in the host", "host", "attic:2222", "has a field of its own"},
		{"a port that is no number", "port", "22x", "not a port"},
		{"a port out of range", "port", "70000", "not a port"},
		{"a user with a blank", "user", "a b", "write one word"},
		{"a control character", "user", "a\x00b", "cannot be printed"},
		{"another way to become root", "become", "su", "write one of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, text := s.mustStep("look", filledWith(good, tt.field, tt.value))
			if !strings.Contains(text, tt.want) || strings.Count(page, `aria-invalid="true"`) != 1 {
				t.Errorf("got %s", text)
			}
			if strings.Contains(page, "<b>") {
				t.Error("HTML got through")
			}
		})
	}
}

func TestAHostThatCannotBeLookedAt(t *testing.T) {
	s := newScene(t)
	refusing := s.host(nil)
	refusing.RefuseLogins(true)
	noSudo := s.host(map[string]string{"sudo": `echo "sudo: a password is required" >&2; exit 1`})
	plain := s.host(map[string]string{"id": "echo 1000"})
	notRoot := s.host(map[string]string{"sudo": `echo 1000`})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody.Close()
	closed := formFor(noSudo, "attic")
	closed.Set("port", fmt.Sprint(nobody.Addr().(*net.TCPAddr).Port))
	for _, tt := range []struct {
		name string
		form url.Values
		want string
	}{
		{"does not admit our key", formFor(refusing, "attic"), "does not let z2mha in with our key; paste the line of step 2 on that host"},
		{"wants a password for sudo", formFor(noSudo, "attic"), "sudo does not let z2mha become root without a password"},
		{"is entered as nobody special", filledWith(formFor(plain, "attic"), "become", "none"), "the user z2mha is not root on this host; choose sudo or doas"},
		{"runs commands as another user", formFor(notRoot, "attic"), "its user is number 1000"},
		{"does not listen", closed, "nothing listens on this port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, text := s.mustStep("look", tt.form)
			if !strings.Contains(text, tt.want) || !strings.Contains(page, `action="setup/look"`) || !strings.Contains(page, `value="attic"`) {
				t.Errorf("got %s", text)
			}
		})
	}
	t.Run("has no address", func(t *testing.T) {
		s.cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "attic.invalid", IsNotFound: true}}
		}
		s.restart()
		if _, text := s.mustStep("look", formFor(refusing, "attic")); !strings.Contains(text, "no such host") {
			t.Errorf("got %s", text)
		}
	})
}

func TestWhatStandsInTheWayIsSaid(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*scene) map[string]string
		want    string
	}{
		{"no service", func(*scene) map[string]string { return map[string]string{"docker": "exit 0"} }, "No service that runs Zigbee2MQTT was found"},
		{"no service but our own", func(*scene) map[string]string {
			return map[string]string{"docker": strings.NewReplacer("zigbee2mqtt koenkk", "addon_x_zigbee2mqtt_ha koenkk", `"/zigbee2mqtt"`, `"/addon_x_zigbee2mqtt_ha"`).Replace(dockerRuns)}
		}, "No service that runs Zigbee2MQTT was found"},
		{"docker that cannot be asked", func(*scene) map[string]string {
			return map[string]string{"docker": `echo "Cannot connect to the Docker daemon. Is the docker daemon running?" >&2; exit 1`}
		}, "not every place could be asked"},
		{"no data", func(s *scene) map[string]string {
			must(s.t, os.RemoveAll(filepath.Join(s.root, "opt")))
			return nil
		}, "No data directory"},
		{"no stick", func(s *scene) map[string]string {
			must(s.t, os.RemoveAll(filepath.Join(s.root, "dev")))
			return nil
		}, "There is no stick on this host"},
		{"another stick", func(s *scene) map[string]string {
			must(s.t, os.RemoveAll(filepath.Join(s.root, "dev")))
			s.stick("ttyACM7", "usb-Nabu_Casa_SkyConnect_v1.0_9e-if00-port0", "10c4", "ea60", "Nabu Casa", "SkyConnect v1.0")
			return nil
		}, "not a supported stick: this is an EFR32"},
		{"another adapter", func(s *scene) map[string]string {
			s.file("opt/zigbee2mqtt/data/configuration.yaml", "serial: {port: /dev/ttyUSB0, adapter: ember}\n")
			return nil
		}, "serial.adapter in configuration.yaml is ember"},
		{"a configuration with tabs", func(s *scene) map[string]string {
			s.file("opt/zigbee2mqtt/data/configuration.yaml", "serial:\n\tport: "+networkKey+"\n")
			return nil
		}, "cannot be understood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			h := s.host(tt.prepare(s))
			_, text := s.mustStep("look", formFor(h, "attic"))
			if !strings.Contains(text, tt.want) || strings.Contains(text, networkKey) {
				t.Errorf("got %s", text)
			}
		})
	}
}

func TestAnEFR32CannotBeChosenBehindThePage(t *testing.T) {
	s := newScene(t)
	s.stick("ttyACM7", "usb-Nabu_Casa_SkyConnect_v1.0_9e-if00-port0", "10c4", "ea60", "Nabu Casa", "SkyConnect v1.0")
	page, _ := s.mustStep("look", formFor(s.host(nil), "attic"))
	form := filledWith(filled(page), "stick", "/dev/serial/by-id/usb-Nabu_Casa_SkyConnect_v1.0_9e-if00-port0")
	if _, _, err := s.step("review", form); err == nil || !strings.Contains(err.Error(), "EFR32") {
		t.Errorf("got %v", err)
	}
}

func TestACoordinatorInTheNetworkIsOffered(t *testing.T) {
	s := newScene(t)
	s.file("opt/zigbee2mqtt/data/configuration.yaml", "serial: {port: 'tcp://192.0.2.21:6638', adapter: zstack}\n")
	page, _ := s.mustStep("look", formFor(s.host(nil), "attic"))
	if form := filled(page); form.Get("stick") != "tcp://192.0.2.21:6638" {
		t.Errorf("chosen: %v", form)
	}
}

func TestAContainersDeviceIsTheHosts(t *testing.T) {
	s := newScene(t)
	s.stick("ttyACM0", "usb-zzh-if00", "1a86", "7523", "Electrolama", "zzh")
	s.file("opt/zigbee2mqtt/data/configuration.yaml", "serial: {port: /dev/ttyACM0, adapter: zstack}\n")
	page, _ := s.mustStep("look", formFor(s.host(nil), "attic")) // the container was given ttyUSB0
	if got := filled(page).Get("stick"); !strings.Contains(got, "Sonoff") {
		t.Errorf("chosen: %s", got)
	}
}

func TestThePageWorksWithWhatItCannotRead(t *testing.T) {
	s := newScene(t)
	must(t, os.WriteFile(s.cfg.File, []byte("mqtt: {password: "+brokerPassword+"\n\tnetworks: ["), 0o600))
	must(t, os.MkdirAll(s.cfg.State, 0o700))
	must(t, os.WriteFile(filepath.Join(s.cfg.State, "setup.json"), []byte("{torn"), 0o600))
	must(t, os.WriteFile(filepath.Join(s.cfg.State, "id_ed25519"), []byte("not a key"), 0o600))
	page, err := s.pages.Page(t.Context())
	must(t, err)
	if page.Key != "" || len(page.Hosts) > 0 || len(page.Notices) != 1 || len(page.Nodes) > 0 {
		t.Errorf("got %+v", page)
	}
	must(t, os.Remove(filepath.Join(s.cfg.State, "id_ed25519")))
	found, _ := s.mustStep("look", formFor(s.host(nil), "attic"))
	_, _, err = s.step("review", filled(found))
	if err == nil || !strings.Contains(err.Error(), "not valid YAML") || strings.Contains(err.Error(), brokerPassword) {
		t.Errorf("got %v", err)
	}
}

func TestAHostileHost(t *testing.T) {
	const script = `</span><script>alert(1)</script>`
	for name, programs := range map[string]map[string]string{
		"HTML":      {"uname": "echo '" + script + "'", "docker": `[ "$1" = ps ] && echo "zigbee2mqtt <img/src=x>" || echo '{"name":"/zigbee2mqtt","image":"` + script + `","status":"running","mounts":[["/opt/zigbee2mqtt/data","/app/data"]]}'`},
		"a flood":   {"uname": "head -c 1000000 /dev/zero | tr '\\0' x", "stat": "head -c 1000000 /dev/zero | tr '\\0' 9"},
		"a million": {"uname": `yes "stick	/dev/x	/dev/x	1	2	a	b	c" | head -n 200000; i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo "stick	/dev/x$i	/dev/x$i	1	2	a	b	c"; echo "data	/d$i	yes	1	1	1"; done`},
		"binary":    {"uname": "head -c 100000 /dev/urandom", "docker": "head -c 100000 /dev/urandom"},
		"nonsense":  {"docker": "yes zigbee2mqtt | head -n 100000", "sed": "exit 3", "readlink": "echo ../../..", "grep": "echo -5"},
		"silence":   {"docker": "exit 0", "uname": "exit 0", "sed": "exit 0", "readlink": "exit 0", "head": "exit 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			page, text := s.mustStep("look", formFor(s.host(programs), "attic"))
			if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
				t.Error("HTML got through")
			}
			if len(page) > 200<<10 {
				t.Errorf("a page of %d bytes", len(page))
			}
			if text == "" {
				t.Error("an empty answer")
			}
		})
	}
}

func TestSticksAreToldByTheirNames(t *testing.T) {
	for _, tt := range []struct {
		vendor, product, manufacturer, name, want string
		unusable                                  bool
	}{
		{"10c4", "ea60", "ITEAD", "Sonoff Zigbee 3.0 USB Dongle Plus", "supported", false},
		{"10c4", "ea60", "slae.sh", "slae.sh cc2652rb stick", "supported", false},
		{"0451", "bef3", "Texas Instruments", "XDS110 (03.00.00.05) Embed with CMSIS-DAP", "supported", false},
		{"10c4", "ea60", "SMLIGHT", "SMLIGHT SLZB-06p7", "supported", false},
		{"10c4", "ea60", "SMLIGHT", "SMLIGHT SLZB-07p7", "supported", false},
		{"1a86", "7523", "TubesZB", "TubesZB CC2652P7", "supported", false},
		{"10c4", "ea60", "Silicon Labs", "CP2102N USB to UART Bridge Controller", "unknown", false},
		{"1a86", "7523", "", "USB Serial", "unknown", false},
		{"1a86", "55d4", "ITEAD", "SONOFF Zigbee 3.0 USB Dongle Plus V2", "an EFR32", true},
		{"10c4", "ea60", "SONOFF", "SONOFF Dongle Plus MG24", "an EFR32", true},
		{"10c4", "ea60", "Nabu Casa", "Home Assistant Connect ZBT-1", "an EFR32", true},
		{"303a", "4001", "Nabu Casa", "ZBT-2", "an EFR32", true},
		{"10c4", "ea60", "SMLIGHT", "SMLIGHT SLZB-07", "an EFR32", true},
		{"10c4", "ea60", "SMLIGHT", "SMLIGHT SLZB-06M", "an EFR32", true},
		{"1cf1", "0030", "dresden elektronik ingenieurtechnik GmbH", "ConBee II", "ConBee", true},
		{"0403", "6015", "FTDI", "ZiGate", "ZiGate", true},
		{"0451", "16a8", "Texas Instruments", "TI CC2531 USB CDC", "too old", true},
		{"0658", "0200", "", "Aeotec Z-Stick Gen5 (ZW090)", "Z-Wave", true},
	} {
		note, unusable := setup.Verdict("/dev/ttyUSB0", tt.vendor, tt.product, tt.manufacturer, tt.name)
		if !strings.Contains(note, tt.want) || unusable != tt.unusable {
			t.Errorf("%s %s: %s, unusable %v", tt.manufacturer, tt.name, note, unusable)
		}
	}
}

func TestALookReadsTheSameWithBusybox(t *testing.T) {
	box, err := exec.LookPath("busybox")
	if err != nil {
		missing(t, "busybox is not installed")
	}
	s := newScene(t)
	s.stick("ttyACM0", "", "0451", "bef3", "Texas Instruments", "XDS110")
	bin := t.TempDir()
	for name := range strings.FieldsSeq("sh uname sed head readlink tr ls awk cut sort grep stat echo printf") {
		must(t, os.Symlink(box, filepath.Join(bin, name)))
	}
	run := func(path string, argv ...string) string {
		cmd := exec.Command(argv[0], append(argv[1:], "-c", setup.ReadingShell(s.root))...)
		cmd.Env = []string{"PATH=" + path}
		out, err := cmd.Output()
		must(t, err)
		return string(out)
	}
	usual, small := run("/usr/bin:/bin", "/bin/sh"), run(bin, box, "sh")
	if usual != small {
		t.Errorf("with busybox\n%s\ninstead of\n%s", small, usual)
	}
	for _, want := range []string{"machine\t", "system\t\"Debian", "stick\t/dev/serial/by-id/usb-ITEAD", "stick\t/dev/ttyACM0\t/dev/ttyACM0\t0451\tbef3\tTexas Instruments\tXDS110\tA1",
		"open\t77\t", "process\t77\tnode", "data\t/opt/zigbee2mqtt/data\tyes\t2\t", "\t2.14.0\n"} {
		if !strings.Contains(small, want) {
			t.Errorf("lacks %q:\n%s", want, small)
		}
	}
}
