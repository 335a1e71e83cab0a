package setup_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/config"
	"z2mha/internal/dash"
	"z2mha/internal/dash/ingresstest"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/sshhost"
)

func node(name string) url.Values { return url.Values{"network": {"home"}, "node": {name}} }

func (s *scene) write(text string) { must(s.t, os.WriteFile(s.cfg.File, []byte(text), 0o600)) }

func (s *scene) wrote() string {
	text, err := os.ReadFile(s.cfg.File)
	must(s.t, err)
	return string(text)
}

// refuses makes sure that a step is refused for a reason and that the file stays.
func (s *scene) refuses(name string, form url.Values, why string) {
	s.t.Helper()
	before := s.wrote()
	if _, _, err := s.step(name, form); err == nil || !strings.Contains(err.Error(), why) {
		s.t.Errorf("%s %v: got %v, want %q", name, form, err, why)
	}
	if s.wrote() != before {
		s.t.Errorf("%s wrote", name)
	}
}

func TestANodeIsRemoved(t *testing.T) {
	s := newScene(t)
	network := status.Network{Name: "home", Active: "attic"}
	s.cfg.Networks = func() []status.Network { return []status.Network{network} }
	s.restart()
	s.write(three)
	page, text := s.mustStep("removal", node("nuc"))
	for _, want := range []string{"Remove nuc from the network home?", "goes on with attic and cellar", "Zigbee2MQTT is not touched", s.cfg.File, "- name: nuc", "Nothing is removed yet"} {
		if !strings.Contains(text, want) {
			t.Errorf("the review lacks %q: %s", want, text)
		}
	}
	if strings.Contains(page, "192.0.2.1<") || strings.Contains(page, "s3cret") {
		t.Errorf("shows more than what goes: %s", page)
	}
	if s.wrote() != three {
		t.Error("the review wrote")
	}
	form := filled(page)

	s.refuses("removal", node("attic"), "switch over to another node first")
	s.refuses("removal", node("shed"), "no such node")
	s.refuses("remove", node("nuc"), "has changed since")
	s.refuses("remove", filledWith(form, "node", "cellar"), "has changed since")
	network.Run = &status.Run{}
	s.refuses("remove", form, "a plan is being carried out")
	network.Run = nil
	s.write(three + "# more\n")
	s.refuses("remove", form, "has changed since")
	s.write(three)
	if s.saved != 0 {
		t.Error("was told of a change that is none")
	}

	_, text = s.mustStep("remove", form)
	if !strings.Contains(text, "The node nuc is removed from the network home.") || s.saved != 1 {
		t.Errorf("saved %d: %s", s.saved, text)
	}
	if got := s.wrote(); got != strings.Replace(three, nuc, "", 1) {
		t.Errorf("got\n%s", got)
	}
	old, err := os.ReadFile(s.cfg.File + ".old-20260501T120000Z")
	if err != nil || string(old) != three {
		t.Errorf("kept: %v %s", err, old)
	}
	s.refuses("remove", form, "no such node")
	if !strings.Contains(s.log.String(), "node removed") || !strings.Contains(s.log.String(), "by=ida") {
		t.Errorf("log: %s", s.log)
	}
}

func TestTheLastNetworkIsRemovedAndSetUpAgain(t *testing.T) {
	s := newScene(t)
	s.write("# my file\nnetworks:\n  - name: home\n    nodes:\n" + pairOfNodes + "timing: {stop: 30s}\n")
	page, text := s.mustStep("removal", node("cellar"))
	for _, want := range []string{"Remove the whole network home?", "with attic and cellar", "add the new one first", "It is the only network", "- name: home"} {
		if !strings.Contains(text, want) {
			t.Errorf("the review lacks %q: %s", want, text)
		}
	}
	_, text = s.mustStep("remove", filled(page))
	if !strings.Contains(text, "The network home is removed.") || s.wrote() != "# my file\nnetworks:\ntiming: {stop: 30s}\n" {
		t.Errorf("%s\n%s", text, s.wrote())
	}
	c, err := config.LoadWith(s.cfg.File, s.cfg.Defaults())
	if err != nil || len(c.Networks) > 0 {
		t.Fatalf("%v %+v", err, c)
	}
	there, err := s.pages.Page(t.Context())
	must(t, err)
	if len(there.Nodes) > 0 || there.Form.Network.Value != "home" {
		t.Errorf("page: %+v", there)
	}

	s.add(formFor(s.host(nil), "attic"))
	s.stick("ttyACM0", "usb-zzh-if00", "1a86", "7523", "Electrolama", "zzh")
	found, _ := s.mustStep("look", formFor(s.host(nil), "cellar"))
	page, _ = s.mustStep("review", filledWith(filled(found), "stick", "/dev/serial/by-id/usb-zzh-if00"))
	s.mustStep("save", filled(page))
	if c, err = config.LoadWith(s.cfg.File, s.cfg.Defaults()); err != nil || len(c.Networks) != 1 || !strings.HasSuffix(s.wrote(), "timing: {stop: 30s}\n") {
		t.Errorf("%v\n%s", err, s.wrote())
	}
}

func TestANodeThatWaitsIsForgotten(t *testing.T) {
	s := newScene(t)
	s.add(formFor(s.host(nil), "attic"))
	page, text := s.mustStep("removal", node("attic"))
	if !strings.Contains(text, "is forgotten") || !strings.Contains(text, "name: attic") {
		t.Errorf("review: %s", text)
	}
	s.mustStep("remove", filled(page))
	if there, _ := s.pages.Page(t.Context()); len(there.Nodes) > 0 || s.saved != 0 {
		t.Errorf("saved %d, there: %+v", s.saved, there.Nodes)
	}
	if _, err := os.Stat(s.cfg.File); err == nil {
		t.Error("z2mha.yaml was written")
	}
	if _, _, err := s.step("remove", filled(page)); err == nil {
		t.Error("removed twice")
	}
}

func TestRemovingFromADirectoryThatCannotBeWritten(t *testing.T) {
	s := newScene(t)
	s.write(three)
	s.cfg.Disk.Fault = readOnly(filepath.Dir(s.cfg.File))
	s.restart()
	page, _ := s.mustStep("removal", node("nuc"))
	s.refuses("remove", filled(page), "read-only file system")
	if s.saved != 0 {
		t.Error("was told of a change that is none")
	}
}

// twoHosts writes a file whose nodes are the hosts.
func (s *scene) twoHosts(attic, cellar *sshhost.Host) {
	s.write(fmt.Sprintf("networks:\n- name: home\n  nodes:\n"+
		"  - {name: attic, host: '%s', user: z2mha, become: sudo, dongle: /dev/a, data: /a, service: docker}\n"+
		"  - {name: cellar, host: '%s', user: z2mha, become: sudo, dongle: /dev/b, data: /b, service: docker}\n", attic.Addr(), cellar.Addr()))
}

func TestTheNewKeyOfAConfiguredHostIsTrusted(t *testing.T) {
	s := newScene(t)
	attic, cellar := s.host(nil), s.host(nil)
	s.twoHosts(attic, cellar)
	for _, name := range []string{"attic", "cellar"} {
		if _, text := s.mustStep("check", node(name)); !strings.Contains(text, "Our key lets z2mha in") {
			t.Fatalf("got %s", text)
		}
	}
	if _, _, err := s.step("check", node("shed")); err == nil {
		t.Error("a node that is not there was asked")
	}
	pins := filepath.Join(s.cfg.State, "known_hosts")
	before, err := os.ReadFile(pins)
	must(t, err)

	old := fingerprintOf(cellar.HostKey())
	cellar.ChangeHostKey()
	now := fingerprintOf(cellar.HostKey())
	page, text := s.mustStep("check", node("cellar"))
	for _, want := range []string{old, now, "installed anew", "somebody else answers", "type the name: cellar"} {
		if !strings.Contains(text, want) {
			t.Errorf("the question lacks %q: %s", want, text)
		}
	}
	if !strings.Contains(page, `id="node-step"`) {
		t.Errorf("got %s", page)
	}
	form := filled(page)
	s.refuses("trust", form, "is not the name of the node")
	s.refuses("trust", filledWith(form, "confirm", "attic"), "type cellar")
	form.Set("confirm", " cellar ")
	s.refuses("trust", filledWith(form, "old", "SHA256:other"), "another one is pinned by now")
	cellar.ChangeHostKey() // it is somebody else again
	s.refuses("trust", form, "another key than was shown")
	if got, _ := os.ReadFile(pins); string(got) != string(before) {
		t.Fatalf("pinned:\n%s", got)
	}

	page, _ = s.mustStep("check", node("cellar"))
	form = filledWith(filled(page), "confirm", "cellar")
	page, text = s.mustStep("trust", form)
	if !strings.Contains(text, "The new key is trusted. Our key lets z2mha in") || !strings.Contains(page, `id="node-step"`) {
		t.Errorf("got %s", text)
	}
	after, err := os.ReadFile(pins)
	must(t, err)
	if first, _, _ := strings.Cut(string(before), "\n"); !strings.HasPrefix(string(after), first+"\n") || strings.Count(string(after), "\n") != 2 {
		t.Errorf("pinned:\n%s", after)
	}
	if !strings.Contains(s.log.String(), "host key trusted") || !strings.Contains(s.log.String(), fingerprintOf(cellar.HostKey())) {
		t.Errorf("log: %s", s.log)
	}
	s.readsOnly(attic, cellar)

	cellar.Close()
	s.refuses("trust", form, "nothing listens on this port")
	if _, text = s.mustStep("check", node("cellar")); !strings.Contains(text, "Nothing listens on this port") {
		t.Errorf("got %s", text)
	}
}

func TestALookAtAHostWithANewKeyGoesOnOnceItIsTrusted(t *testing.T) {
	s := newScene(t)
	h := s.host(nil)
	s.mustStep("look", formFor(h, "shed"))
	h.ChangeHostKey()
	page, text := s.mustStep("look", formFor(h, "shed"))
	if !strings.Contains(page, `id="setup-step"`) || !strings.Contains(text, "type the name: shed") {
		t.Fatalf("got %s", text)
	}
	page, text = s.mustStep("trust", filledWith(filled(page), "confirm", "shed"))
	if !strings.Contains(page, `action="setup/review"`) || !strings.Contains(text, "What was found on shed") {
		t.Errorf("got %s", text)
	}

	// Under another name it is still the node that is configured.
	s.twoHosts(h, s.host(nil))
	h.ChangeHostKey()
	if _, text = s.mustStep("look", formFor(h, "barn")); !strings.Contains(text, "type the name: attic") {
		t.Errorf("got %s", text)
	}
	if _, _, err := s.step("trust", url.Values{"host": {"x y"}, "confirm": {""}}); err == nil {
		t.Error("a broken form was taken")
	}
}

// admin is who may act.
type admin string

func (a admin) IsAdmin(_ context.Context, id string) (bool, error) { return id == string(a), nil }

// through posts a form as the page does, or as another site would.
func through(t *testing.T, address string, form url.Values, fromPage bool) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if fromPage {
		r.Header.Set("HX-Request", "true")
	}
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(body)
}

func TestThroughIngressOnlyAdministratorsUndo(t *testing.T) {
	s := newScene(t)
	s.write(three)
	server := httptest.NewServer(dash.New(dash.Config{Desk: &desk.Front{}, Mode: dash.Addon, Setup: s.pages, Ingress: netip.MustParseAddr("127.0.0.1"), Admins: admin("a1")}).Handler())
	t.Cleanup(server.Close)
	proxy := &ingresstest.Proxy{Target: server.URL}
	proxy.SetUser(ingresstest.User{ID: "a1", DisplayName: "Ida"})
	base := proxy.Serve(t) + "setup/"

	review, _ := s.mustStep("removal", node("nuc"))
	form := filled(review)
	for _, step := range []string{"removal", "remove", "check", "trust"} {
		if code, body := through(t, base+step, form, false); code != http.StatusForbidden || !strings.Contains(body, "HX-Request") {
			t.Errorf("%s from elsewhere: %d %s", step, code, body)
		}
	}
	proxy.SetUser(ingresstest.User{ID: "b2", DisplayName: "Guest"})
	for _, step := range []string{"removal", "remove", "check", "trust"} {
		if code, body := through(t, base+step, form, true); code != http.StatusForbidden || !strings.Contains(body, "only administrators") {
			t.Errorf("%s by somebody: %d %s", step, code, body)
		}
	}
	if s.wrote() != three {
		t.Fatal("it was removed all the same")
	}
	proxy.SetUser(ingresstest.User{ID: "a1", DisplayName: "Ida"})
	if code, body := through(t, base+"removal", node("nuc"), true); code != http.StatusOK || !strings.Contains(body, "- name: nuc") || !strings.Contains(body, `hx-post="setup/remove"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := through(t, base+"remove", form, true); code != http.StatusOK || strings.Contains(s.wrote(), "nuc") || !strings.Contains(s.log.String(), "Ida on the page") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := through(t, base+"remove", form, true); code != http.StatusConflict || !strings.Contains(body, "data-failure") {
		t.Errorf("a second time: %d %s", code, body)
	}
}
