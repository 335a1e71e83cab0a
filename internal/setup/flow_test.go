package setup_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/config"
	"z2mha/internal/host/remote"
	"z2mha/internal/setup"
	"z2mha/internal/world/sshhost"
)

// A scene is the pages, and what they work with.
type scene struct {
	t     *testing.T
	cfg   setup.Config
	pages *setup.Setup
	root  string // before every path that a look reads
	log   *bytes.Buffer
	saved int
	now   time.Time
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{t: t, root: filepath.Join(dir, "root"), log: &bytes.Buffer{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	s.cfg = setup.Config{File: filepath.Join(dir, "conf", "z2mha.yaml"), State: filepath.Join(dir, "state"),
		Defaults: func() config.Defaults {
			return config.Defaults{MQTT: &config.MQTT{Server: config.Server{Address: "core:1883"}}}
		},
		Saved: func() { s.saved++ }, Now: func() time.Time { return s.now },
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	s.restart()
	must(t, os.MkdirAll(filepath.Dir(s.cfg.File), 0o755))
	s.file("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n")
	s.stick("ttyUSB0", "usb-ITEAD_Sonoff_Zigbee_3.0_USB_Dongle_Plus_0001-if00-port0", "10c4", "ea60", "ITEAD", "Sonoff Zigbee 3.0 USB Dongle Plus")
	s.file("opt/zigbee2mqtt/data/configuration.yaml", configuration)
	s.file("opt/zigbee2mqtt/data/database.db", `{"id":1,"type":"Coordinator"}`+"\n"+`{"id":2,"type":"Router"}`+"\n"+`{"id":3,"type":"EndDevice"}`+"\n")
	s.file("opt/zigbee2mqtt/package.json", "{\n  \"name\": \"zigbee2mqtt\",\n  \"version\": \"2.14.0\",\n}")
	s.file("proc/77/comm", "node\n")
	for _, link := range []string{"proc/77/fd/9", "proc/78/fd/3"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(s.root, link)), 0o755))
	}
	must(t, os.Symlink(filepath.Join(s.root, "dev/ttyUSB0"), filepath.Join(s.root, "proc/77/fd/9")))
	return s
}

// restart forgets what is not on disk.
func (s *scene) restart() {
	s.pages = setup.New(s.cfg)
	s.pages.SetRoot(s.root)
}

const networkKey = "7c5a1e93d20b44f6a8c1907b3e5d2f68"

const configuration = `mqtt:
  base_topic: zigbee2mqtt
  server: mqtt://heinz:` + brokerPassword + `@localhost:1883
  password: ` + brokerPassword + `
serial:
  port: /dev/serial/by-id/usb-ITEAD_Sonoff_Zigbee_3.0_USB_Dongle_Plus_0001-if00-port0
  adapter: zstack
advanced:
  network_key: ` + networkKey + "\n"

const brokerPassword = "br0ker-pass"

func (s *scene) file(name, text string) {
	path := filepath.Join(s.root, name)
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s.t, os.WriteFile(path, []byte(text), 0o644))
}

// stick lays out a USB serial device as Linux does.
func (s *scene) stick(tty, id, vendor, product, manufacturer, name string) {
	s.file("dev/"+tty, "")
	if id != "" {
		must(s.t, os.MkdirAll(filepath.Join(s.root, "dev/serial/by-id"), 0o755))
		must(s.t, os.Symlink("../../"+tty, filepath.Join(s.root, "dev/serial/by-id", id)))
	}
	usb := "sys/devices/usb1/" + tty
	for file, text := range map[string]string{"idVendor": vendor, "idProduct": product, "manufacturer": manufacturer, "product": name, "serial": "A1"} {
		s.file(usb+"/"+file, text+"\n")
	}
	must(s.t, os.MkdirAll(filepath.Join(s.root, usb, "1:1.0"), 0o755))
	must(s.t, os.MkdirAll(filepath.Join(s.root, "sys/class/tty", tty), 0o755))
	must(s.t, os.Symlink("../../../devices/usb1/"+tty+"/1:1.0", filepath.Join(s.root, "sys/class/tty", tty, "device")))
}

const dockerRuns = `case "$1 $2" in
"ps -a") echo "zigbee2mqtt koenkk/zigbee2mqtt:2.14.0";;
"container inspect") echo '{"name":"/zigbee2mqtt","image":"koenkk/zigbee2mqtt:2.14.0","mounts":[["/opt/zigbee2mqtt/data","/app/data"],[]],"status":"running","restart":"no","env":[""],"labels":{"version":null},"devices":[["/dev/ttyUSB0","/dev/ttyUSB0"],[]]}';;
*) echo "changes something: $*" >&2; exit 99;;
esac`

// host starts one in which root is faked and docker is the only service manager.
func (s *scene) host(programs map[string]string) *sshhost.Host {
	s.t.Helper()
	bin := s.t.TempDir()
	all := map[string]string{
		"sudo": `shift 2; [ "$1" != id ] || { echo 0; exit; }; exec "$@"`, "doas": `shift 2; [ "$1" != id ] || { echo 0; exit; }; exec "$@"`,
		"docker": dockerRuns, "systemctl": "exit 0", "rc-service": "exit 0", "rc-update": "exit 0",
	}
	for name, script := range programs {
		all[name] = script
	}
	for name, script := range all {
		must(s.t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	key, _, err := remote.LoadOrCreateKey(filepath.Join(s.cfg.State, "id_ed25519"))
	must(s.t, err)
	h, err := sshhost.Start(sshhost.Options{Home: s.t.TempDir(), Path: []string{bin}, User: "z2mha"})
	must(s.t, err)
	s.t.Cleanup(func() { h.Close() })
	h.Authorize(key.PublicKey())
	return h
}

func formFor(h *sshhost.Host, node string) url.Values {
	i := strings.LastIndexByte(h.Addr(), ':')
	return url.Values{"network": {"home"}, "node": {node}, "host": {h.Addr()[:i]}, "port": {h.Addr()[i+1:]}, "user": {"z2mha"}, "become": {"sudo"}}
}

// step returns the answer as HTML, and as text the way a reader sees it.
func (s *scene) step(name string, form url.Values) (string, string, error) {
	s.t.Helper()
	part, err := s.pages.Step(s.t.Context(), name, form, "ida")
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	must(s.t, part.Render(context.Background(), &b))
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(b.String(), " "))
	return b.String(), strings.Join(strings.Fields(text), " "), nil
}

// mustStep is step where no error is expected.
func (s *scene) mustStep(name string, form url.Values) (page, text string) {
	s.t.Helper()
	page, text, err := s.step(name, form)
	must(s.t, err)
	return page, text
}

var (
	input = regexp.MustCompile(`<input type="(hidden|radio)" name="([^"]*)" value="([^"]*)"([^>]*)>`)
)

// filled is the form in a page, with what is chosen in it.
func filled(page string) url.Values {
	form := url.Values{}
	for _, m := range input.FindAllStringSubmatch(page, -1) {
		if m[1] == "hidden" || strings.Contains(m[4], "checked") {
			form.Set(m[2], html.UnescapeString(m[3]))
		}
	}
	return form
}

// add goes through all steps.
func (s *scene) add(form url.Values) (review, saved string) {
	s.t.Helper()
	page, text := s.mustStep("look", form)
	if !strings.Contains(page, `action="setup/review"`) {
		s.t.Fatalf("got no findings but %s", text)
	}
	page, review = s.mustStep("review", filled(page))
	_, saved = s.mustStep("save", filled(page))
	return review, saved
}

func TestTwoHostsFromNothing(t *testing.T) {
	s := newScene(t)
	attic, cellar := s.host(nil), s.host(nil)
	page, err := s.pages.Page(t.Context())
	must(t, err)
	if !strings.HasPrefix(page.Key, "ssh-ed25519 ") || !strings.HasPrefix(page.Fingerprint, "SHA256:") || len(page.Hosts) != 6 || page.Form.Network.Value != "home" || len(page.Notices) > 0 {
		t.Errorf("page: %+v", page)
	}

	found, text := s.mustStep("look", formFor(attic, "attic"))
	for _, want := range []string{"Debian GNU/Linux 13 (trixie)", "2.14.0", remoteFingerprint(attic), "Docker: zigbee2mqtt", "runs now", "2 devices", "ITEAD Sonoff Zigbee 3.0 USB Dongle Plus", "supported", "in use by node (process 77)", "serial number A1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the findings lack %q: %s", want, text)
		}
	}
	form := filled(found)
	if form.Get("service") != "docker:zigbee2mqtt" || form.Get("data") != "/opt/zigbee2mqtt/data" || !strings.HasPrefix(form.Get("stick"), "/dev/serial/by-id/usb-ITEAD") {
		t.Errorf("chosen beforehand: %v", form)
	}
	review, saved := s.add(formFor(attic, "attic"))
	if !strings.Contains(review, "needs two nodes") || !strings.Contains(saved, "waits for the second node") || s.saved != 0 {
		t.Errorf("review: %s\nsaved: %s", review, saved)
	}
	if _, err := os.Stat(s.cfg.File); err == nil {
		t.Error("z2mha.yaml was written with one node")
	}
	s.restart()
	if page, _ = s.pages.Page(t.Context()); len(page.Nodes) != 1 || page.Nodes[0].Node != "attic" || !strings.Contains(page.Nodes[0].Text, "waits") {
		t.Errorf("nodes: %+v", page.Nodes)
	}

	// The other host is the same directory here, so its stick must have another name.
	s.stick("ttyACM0", "usb-Texas_Instruments_XDS110_L1-if00", "0451", "bef3", "Texas Instruments", "XDS110 CC1352P LAUNCHXL")
	found, _ = s.mustStep("look", formFor(cellar, "cellar"))
	form = filled(found)
	form.Set("stick", "/dev/serial/by-id/usb-Texas_Instruments_XDS110_L1-if00")
	reviewPage, review := s.mustStep("review", form)
	if !strings.Contains(review, "name: cellar") || !strings.Contains(review, "name: attic") || !strings.Contains(review, "runs on both hosts") {
		t.Errorf("review: %s", review)
	}
	_, saved = s.mustStep("save", filled(reviewPage))
	if !strings.Contains(saved, "Sync once") || s.saved != 1 {
		t.Errorf("saved %d: %s", s.saved, saved)
	}
	c, err := config.LoadWith(s.cfg.File, s.cfg.Defaults())
	must(t, err)
	n, ok := c.Network("home")
	if !ok || len(n.Nodes) != 2 || n.Nodes[0].Name != "attic" || n.Nodes[1].Service.Unit != "zigbee2mqtt" || n.Nodes[1].Host.String() != cellar.Addr() {
		t.Errorf("got %+v", c.Networks)
	}
	if info, _ := os.Stat(s.cfg.File); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if page, _ = s.pages.Page(t.Context()); len(page.Nodes) != 2 || strings.Contains(fmt.Sprint(page.Nodes), "waits") {
		t.Errorf("nodes: %+v", page.Nodes)
	}
	s.readsOnly(attic, cellar)
	for _, secret := range []string{networkKey, brokerPassword} {
		if strings.Contains(found+review+saved+reviewPage+s.log.String(), secret) {
			t.Errorf("%s was shown", secret)
		}
	}
}

// readsOnly makes sure that no command could change a host: the docker there refuses
// what changes something, and the rest is looked through for words that do.
func (s *scene) readsOnly(hosts ...*sshhost.Host) {
	s.t.Helper()
	harmful := regexp.MustCompile(`(^|[ ;|&(])(rm|mv|cp|touch|mkdir|chmod|chown|tee|dd|ln|install|kill|systemctl (stop|start|enable|disable|mask)|rc-update (-a |--all )?(add|del)|docker (update|stop|start|kill|rm))( |$)|[^2&]>[^&/]|sed -i`)
	for _, h := range hosts {
		for _, line := range h.Commands() {
			if m := harmful.FindString(strings.ReplaceAll(line, "->", "")); m != "" || strings.Contains(line, "sftp") {
				s.t.Errorf("%q may change the host: %s", m, line)
			}
		}
	}
}

func remoteFingerprint(h *sshhost.Host) string {
	return fingerprintOf(h.HostKey())
}

func TestANodeJoinsANetworkOfAFileThatAPersonWrote(t *testing.T) {
	s := newScene(t)
	h := s.host(nil)
	const password = "hush-hush"
	before := "# my file\nmqtt: {server: 'mqtt://core', user: me, password: \"" + password + "\"}\nnetworks:\n  - name: home   # the house\n    nodes:\n" + pairOfNodes + "\n# the end\n"
	must(t, os.WriteFile(s.cfg.File, []byte(before), 0o644))
	page, err := s.pages.Page(t.Context())
	must(t, err)
	if len(page.Nodes) != 2 || page.Form.Network.Value != "home" {
		t.Errorf("page: %+v", page)
	}
	if _, text := s.mustStep("look", formFor(h, "attic")); !strings.Contains(text, "has a node of this name already") {
		t.Errorf("got %s", text)
	}
	s.file("opt/zigbee2mqtt/data/configuration.yaml", strings.Replace(configuration, "base_topic: zigbee2mqtt", "base_topic: annex", 1))
	for i := range 8 {
		s.now = s.now.Add(time.Second)
		now, err := os.ReadFile(s.cfg.File)
		must(t, err)
		form := formFor(h, fmt.Sprintf("shed%d", i))
		found, _ := s.mustStep("look", form)
		if i > 0 { // the same stick twice is refused
			if _, _, err := s.step("review", filled(found)); err == nil || !strings.Contains(err.Error(), "coordinator") {
				t.Fatalf("got %v", err)
			}
			must(t, os.WriteFile(s.cfg.File, []byte(before), 0o600))
			now = []byte(before)
		}
		review, _ := s.add(form)
		if !strings.Contains(review, "uses the base topic annex, the network zigbee2mqtt") {
			t.Errorf("review: %s", review)
		}
		if strings.Contains(review, password) || strings.Contains(review, "attic") {
			t.Errorf("shows more than what is added: %s", review)
		}
		after, err := os.ReadFile(s.cfg.File)
		must(t, err)
		keepsAll(t, string(now), after)
	}
	old, err := filepath.Glob(s.cfg.File + ".old-*")
	must(t, err)
	if len(old) != 5 || !strings.HasSuffix(old[4], "20260501T120008Z") {
		t.Errorf("kept: %v", old)
	}
	for _, one := range old {
		info, err := os.Stat(one)
		must(t, err)
		if got, _ := os.ReadFile(one); info.Mode().Perm() != 0o600 || string(got) != before {
			t.Errorf("%s: %v %q", one, info.Mode(), got)
		}
	}
	if strings.Contains(s.log.String(), password) {
		t.Error("the password is in the log")
	}
}

func TestWithoutABrokerTheHostsOwnIsWritten(t *testing.T) {
	s := newScene(t)
	s.cfg.Defaults = nil
	s.restart()
	h, h2 := s.host(nil), s.host(nil)
	s.add(formFor(h, "attic"))
	s.stick("ttyACM0", "usb-zzh-if00", "1a86", "7523", "Electrolama", "zzh")
	found, _ := s.mustStep("look", formFor(h2, "cellar"))
	form := filled(found)
	form.Set("stick", "/dev/serial/by-id/usb-zzh-if00")
	page, review := s.mustStep("review", form)
	if !strings.Contains(review, "server: mqtt://127.0.0.1:1883") || !strings.Contains(review, "user and password") || strings.Contains(review, brokerPassword) {
		t.Errorf("review: %s", review)
	}
	s.mustStep("save", filled(page))
	if _, err := config.Load(s.cfg.File); err != nil {
		t.Error(err)
	}
}

func TestAnAddOnNeedsNoBroker(t *testing.T) {
	s := newScene(t)
	s.cfg.Defaults, s.cfg.Addon = nil, true
	s.restart()
	h, h2 := s.host(nil), s.host(nil)
	s.add(formFor(h, "attic"))
	s.stick("ttyACM0", "", "1a86", "7523", "Electrolama", "zzh")
	found, text := s.mustStep("look", formFor(h2, "cellar"))
	if !strings.Contains(text, "may change at the next boot") {
		t.Errorf("got %s", text)
	}
	form := filled(found)
	form.Set("stick", "/dev/ttyACM0")
	page, review := s.mustStep("review", form)
	s.mustStep("save", filled(page))
	if strings.Contains(review, "mqtt:") {
		t.Errorf("review: %s", review)
	}
	_, err := config.LoadWith(s.cfg.File, config.Defaults{MQTT: &config.MQTT{}})
	must(t, err)
}

func TestAWaitingNodeIsReplacedOrMakesRoom(t *testing.T) {
	s := newScene(t)
	h := s.host(nil)
	s.add(formFor(h, "atic"))
	review, _ := s.add(formFor(h, "attic")) // the same host and stick: the name was wrong
	if !strings.Contains(review, "needs two nodes") || strings.Contains(review, "forgotten") {
		t.Errorf("review: %s", review)
	}
	form := formFor(h, "attic")
	form.Set("network", "annex")
	if review, _ = s.add(form); !strings.Contains(review, "The node attic, which waits for a second one in the network home, is forgotten") {
		t.Errorf("review: %s", review)
	}
	if page, _ := s.pages.Page(t.Context()); len(page.Nodes) != 1 || page.Nodes[0].Network != "annex" {
		t.Errorf("nodes: %+v", page.Nodes)
	}
}

func TestWhatChangedMeanwhileIsNotOverwritten(t *testing.T) {
	s := newScene(t)
	h := s.host(nil)
	before := top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes
	must(t, os.WriteFile(s.cfg.File, []byte(before), 0o600))
	page, _ := s.mustStep("look", formFor(h, "shed"))
	page, _ = s.mustStep("review", filled(page))
	form := filled(page)
	changed := before + "# and a word more\n"
	must(t, os.WriteFile(s.cfg.File, []byte(changed), 0o600))
	if _, _, err := s.step("save", form); err == nil || !strings.Contains(err.Error(), "has changed since") {
		t.Errorf("got %v", err)
	}
	must(t, os.WriteFile(s.cfg.File, []byte(before), 0o600))
	other := filledWith(form, "stick", "/dev/nowhere")
	if _, _, err := s.step("save", other); err == nil || !strings.Contains(err.Error(), "no stick was chosen") {
		t.Errorf("got %v", err)
	}
	s.mustStep("save", form)
	if _, _, err := s.step("save", form); err == nil || !strings.Contains(err.Error(), "of this name already") {
		t.Errorf("a second time: %v", err)
	}
	s.now = s.now.Add(2 * time.Hour)
	if _, _, err := s.step("review", form); err == nil || !strings.Contains(err.Error(), "too long ago") {
		t.Errorf("late: %v", err)
	}
	if _, _, err := s.step("bogus", nil); err == nil {
		t.Error("a step that does not exist was taken")
	}
}

func filledWith(form url.Values, name, value string) url.Values {
	out := url.Values{}
	for k, v := range form {
		out[k] = slices.Clone(v)
	}
	out.Set(name, value)
	return out
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	s := newScene(t)
	h := s.host(nil)
	before := top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes
	must(t, os.WriteFile(s.cfg.File, []byte(before), 0o600))
	s.cfg.Disk.Fault = readOnly(filepath.Dir(s.cfg.File))
	s.restart()
	page, _ := s.mustStep("look", formFor(h, "shed"))
	page, _ = s.mustStep("review", filled(page))
	if _, _, err := s.step("save", filled(page)); err == nil || !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(s.cfg.File); string(got) != before || s.saved != 0 {
		t.Errorf("saved %d times: %s", s.saved, got)
	}
}
