package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/homeassistant/supervisor/supervisortest"
	"z2mha/internal/world/home"
)

const (
	weAre  = "z2mha/status"
	online = "online"
)

// admin may act.
var admin = supervisortest.User{ID: "owner", Name: "Owner", Groups: []string{"system-admin"}}

// What follows starts `z2mha serve` in surroundings where something is wrong. Each time
// it must say so in words that help, on its page and in its log, go on with the rest,
// and go back to work by itself once the cause is gone.

func TestServeWithoutMQTTService(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}})
	settings(t, dir, describe())
	s := inSupervisor(t, dir, fake)
	s.shows("The Supervisor knows no MQTT broker", "install the Mosquitto broker add-on", "option mqtt")
	s.logs("level=ERROR", "the Supervisor knows no MQTT broker", "install the Mosquitto broker add-on")
	s.healthy()
	fake.SetMQTT(offer(broker, home.Login{}))
	s.shows("home")
	s.hides("knows no MQTT broker")
	hear(t, broker, home.Login{}).until(0, weAre, online)
}

// embedded is a broker in this process.
func embedded(t *testing.T, l home.Login) string {
	t.Helper()
	b, err := home.StartBroker(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.Addr()
}

// offer is a broker as the Supervisor names it.
func offer(address string, l home.Login) *supervisortest.MQTT {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		panic(err) // our own
	}
	return &supervisortest.MQTT{Host: a.IP.String(), Port: a.Port, User: l.User, Password: l.Password}
}

func TestServeFirstUse(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}})
	s := inSupervisor(t, dir, fake)
	s.shows("Nothing is set up yet", "knows no MQTT broker")
	broker := embedded(t, home.Login{})
	fake.SetMQTT(offer(broker, home.Login{}))
	settings(t, dir, describe())
	hear(t, broker, home.Login{}).until(0, weAre, online)
	s.hides("Nothing is set up yet")
}

func TestServeWithAnUnknownAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ours, others := newAuthority(t, "Made-up Home Authority"), newAuthority(t, "Somebody Else")
	cert, key := ours.issue(t)
	b := newBroker(t, fmt.Sprintf("certfile %s\nkeyfile %s\n", cert, key)).start()
	text := func(ca string) string {
		return describe(anywhere, fmt.Sprintf("mqtt: {server: \"mqtts://%s\"%s}\n", b.address, ca))
	}
	s := served(t, settings(t, dir, text("")))
	help := []string{"mqtt.ca", "nobody we trust has signed its certificate", "Made-up Home Authority", "name its file"}
	s.shows(help...)
	s.logs(help...)
	s.shows("home") // the rest is there
	ca := writeFile(t, filepath.Join(dir, "ca.pem"), "%s", others.pem)
	settings(t, dir, text(", ca: "+ca))
	s.until("the other authority is tried", func() bool { return strings.Count(s.out.String(), "the configuration has changed") == 1 })
	s.shows(help...)
	writeFile(t, ca, "%s", ours.pem)
	s.hides("nobody we trust")
	s.logs("connected to the broker")
	settings(t, dir, text(", ca: "+filepath.Join(dir, "none.pem")))
	s.shows("mqtt.ca", "none.pem", "no such file")
	s.shows("No network can be watched now")
}

// An authority signs certificates of brokers on 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns the files of a certificate and its key.
func (a *authority) issue(t *testing.T) (cert, key string) {
	t.Helper()
	own := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, a.cert, own.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert = writeFile(t, filepath.Join(dir, "cert.pem"), "%s", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, writeFile(t, filepath.Join(dir, "key.pem"), "%s", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}

func TestServeWithAWrongPassword(t *testing.T) {
	t.Parallel()
	login := home.Login{User: "z2mha", Password: "correct horse"}
	broker := embedded(t, login)
	t.Run("in the file", func(t *testing.T) {
		dir := t.TempDir()
		text := func(password string) string {
			return describe(anywhere, brokerAt(broker, "user: z2mha", "client_id: alone", "password: "+password))
		}
		s := served(t, settings(t, dir, text("wrong horse")))
		help := []string{"refuses the login of user \"z2mha\"", "check mqtt.user and mqtt.password"}
		s.shows(help...)
		s.logs(help...)
		settings(t, dir, text(login.Password))
		s.logs("connected to the broker")
		s.hides("refuses the login")
		s.wordless("horse")
	})
	t.Run("in the Supervisor", func(t *testing.T) {
		dir := folder(t)
		settings(t, dir, describe())
		fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}, MQTT: offer(broker, home.Login{User: "addons", Password: "old horse"})})
		s := inSupervisor(t, dir, fake)
		s.shows("refuses the login of user \"addons\"")
		fake.SetMQTT(offer(broker, login))
		s.logs("connected to the broker")
		s.hides("refuses the login")
		s.wordless("horse")
	})
}

// wordless fails the test when a word is in the log or on the page.
func (s *serving) wordless(word string) {
	s.Helper()
	for what, text := range map[string]string{"log": s.out.String(), "page": s.saw.String()} {
		if strings.Contains(text, word) {
			s.Errorf("the %s has %q", what, word)
		}
	}
}

func TestServeWithoutItsBroker(t *testing.T) {
	t.Parallel()
	b := newBroker(t, "")
	s := served(t, settings(t, t.TempDir(), describe(anywhere, brokerAt(b.address))))
	help := []string{"roker mqtt://" + b.address + " cannot be reached", "check mqtt.server and that the broker runs"}
	s.shows(help...)
	s.logs(help...)
	s.healthy()
	for range 2 {
		b.start()
		s.hides("cannot be reached: ")
		hear(t, b.address, home.Login{}).until(0, weAre, online)
		b.stop()
		s.shows("cannot be reached")
	}
}

func TestServeWithoutSupervisorToken(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	settings(t, dir, describe())
	writeFile(t, filepath.Join(dir, "options.json"), `{"mqtt":{"server":"mqtt://%s"}}`, broker)
	s := inSupervisor(t, dir, nil)
	s.shows("There is no SUPERVISOR_TOKEN", "home")
	s.logs("level=ERROR", "there is no SUPERVISOR_TOKEN")
	hear(t, broker, home.Login{}).until(0, weAre, online)
	s.refuses(s.request(http.MethodPost, "preview", url.Values{"network": {"home"}, "verb": {"hold"}}), http.StatusForbidden, "who its administrators are")
}

// refuses checks an answer.
func (s *serving) refuses(got answer, status int, words ...string) {
	s.Helper()
	if got.status != status || !hasAll(readable(got.body), words) {
		s.Errorf("got %d, want %d with %q: %s", got.status, status, words, readable(got.body))
	}
}

func TestServeWithASupervisorThatIsAway(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}, MQTT: offer(broker, home.Login{})})
	g := newGate(t, strings.TrimPrefix(fake.URL, "http://"))
	settings(t, dir, describe())
	s := inSupervisor(t, dir, fake, "Z2MHA_SUPERVISOR=http://"+g.Address)
	s.healthy()
	s.shows("the Supervisor cannot be reached", "You may look, but not act")
	s.logs("level=ERROR", "the Supervisor cannot be reached")
	g.Open()
	e := hear(t, broker, home.Login{})
	e.until(0, weAre, online)
	e.until(0, "homeassistant/device/z2mha_home/config", "homeassistant://app/0a1b2c3d_zigbee2mqtt_ha")
	s.hides("the Supervisor cannot be reached")
	s.hides("You may look, but not act")
	g.Close() // what was learnt is enough to go on
	fake.SetMQTT(nil)
	s.refuses(s.press("hold", ""), http.StatusAccepted, "On hold")
}

func TestServeWithoutCore(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}, MQTT: offer(broker, home.Login{}), CoreDown: true})
	settings(t, dir, describe())
	s := inSupervisor(t, dir, fake)
	s.shows("You may look, but not act", "Home Assistant does not say at the moment who its administrators are")
	s.logs("cannot ask who is an administrator")
	hear(t, broker, home.Login{}).until(0, weAre, online)
	s.refuses(s.press("hold", ""), http.StatusForbidden, "who its administrators are")
	fake.SetCore(true)
	s.hides("You may look, but not act")
	s.refuses(s.press("hold", ""), http.StatusAccepted, "On hold")
}

func TestServeWithWrongOptions(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}, MQTT: offer(broker, home.Login{})})
	settings(t, dir, describe())
	for _, tc := range []struct {
		options string
		says    []string
	}{
		{`{"log_level": 5, "<b>frobnicate</b>": true, "mqtt": {"server": "mqtt://user:hunter2@host", "pasword": "hunter2"}}`,
			[]string{"log_level: not a text", "<b>frobnicate</b>: there is no such option", "mqtt.server: user or password inside", "mqtt.pasword: there is no such option"}},
		{`{"mqtt": 7`, []string{"save"}},
	} {
		writeFile(t, filepath.Join(dir, "options.json"), "%s", tc.options)
		s := inSupervisor(t, dir, fake)
		for _, words := range tc.says {
			s.logs("level=WARN", words)
			if words[0] != '<' { // tags are taken out of what is read
				s.shows(words)
			}
		}
		s.shows("home")
		s.wordless("hunter2")
		if strings.Contains(s.saw.String(), "<b>frob") {
			t.Error("an option's name is HTML on the page")
		}
		if got := s.quit(); got != 0 {
			t.Errorf("exit code %d", got)
		}
	}
}

func TestServeWithABrokenConfiguration(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin}, MQTT: offer(broker, home.Login{})})
	good := describe()
	settings(t, dir, strings.ReplaceAll(good, "name: cellar", "name: attic"))
	s := inSupervisor(t, dir, fake)
	s.shows("1 problem", "nodes[attic]")
	s.logs("level=ERROR", "nodes[attic]")
	began := time.Now()
	settings(t, dir, good)
	s.hides("1 problem")
	s.shows("home", "cellar")
	t.Logf("picked up after %s", time.Since(began))
	e := hear(t, broker, home.Login{})
	e.until(0, weAre, online)

	// A slip of the pen while it works does not stop the work.
	settings(t, dir, good+"   oops: [1\n")
	s.shows("The configuration has changed and cannot be used", "not valid YAML", "home", "cellar")
	s.logs("level=ERROR", "everything goes on as before", "not valid YAML")
	before := e.count()
	s.refuses(s.press("hold", ""), http.StatusAccepted, "On hold")
	e.until(before, "z2mha/home/event", "hold_set")
	if err := os.Remove(filepath.Join(dir, "z2mha.yaml")); err != nil {
		t.Fatal(err)
	}
	s.shows("The configuration has changed and cannot be used", "no such file", "cellar")
	settings(t, dir, good)
	s.hides("cannot be used")
	if n := strings.Count(s.out.String(), "connected to the broker"); n != 1 {
		t.Errorf("it connected %d times to the broker; the slip interrupted its work", n)
	}
}

func TestServeWithHostsThatAreAway(t *testing.T) {
	b := simulated(t).start()
	g := newGate(t, b.home.Cellar.Host.Addr())
	b.reconfigureNode("cellar", "host", g.Address)
	b.reconfigure(func(s string) string { return anywhere + s })
	s := served(t, b.home.Config)
	s.shows("cellar", "connection refused")
	s.shows("Not protected", "cellar: ")
	g.Open()
	s.shows("Partly protected: a stand-by could take over")
	b.reconfigureNode("cellar", "host", "no-such-host.invalid")
	s.shows("Not protected: no stand-by could take over now", "no-such-host.invalid")
	b.lampAnswersThrough(b.home.Attic)
}

func TestServeWithTrapReceiversThatAreAway(t *testing.T) {
	t.Parallel()
	address, _ := freeAddress(t, "127.0.0.1")
	snmp := fmt.Sprintf("snmp:\n  - {address: %q, community: hush-hush}\n  - {address: \"traps.invalid\", community: hush-hush}\n", address)
	s := served(t, settings(t, t.TempDir(), describe(anywhere, brokerAt(embedded(t, home.Login{})), snmp)))
	s.shows("Traps to "+address, "nothing listens", "Traps to traps.invalid:162", "home")
	s.logs("traps do not reach their receiver", address)
	s.logs("traps do not reach their receiver", "traps.invalid")
	receiver, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	s.refuses(s.press("hold", ""), http.StatusAccepted, "On hold")
	s.hides("Traps to " + address)
	s.wordless("hush")
}

// TestServeHostileNames gives devices names that would be HTML, break a line or fill
// the page, and moves the network.
func TestServeHostileNames(t *testing.T) {
	b := simulated(t)
	hostile := `<script>alert("x")</script><img src=x onerror=alert(1)>'&amp; ` + strings.Repeat("long ", 40)
	b.edit(b.home.Attic, "configuration.yaml", func(s string) string {
		return strings.Replace(s, "friendly_name: hall sensor", "friendly_name: '"+strings.ReplaceAll(hostile, "'", "''")+"'", 1)
	})
	b.start()
	b.reconfigure(func(s string) string { return anywhere + s })
	s := served(t, b.home.Config)
	s.shows("Sync now")
	s.until("the switchover is begun", func() bool { return s.press("switchover", "cellar").status == http.StatusAccepted })
	s.shows("Last switchover", "→ cellar")
	b.lampAnswersThrough(b.home.Cellar)
	s.until("the switchover has ended", func() bool { return len(b.unsettled()) == 0 })
	s.shows("Switch over to attic")
	if text := s.saw.String(); strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") {
		t.Error("a device's name is HTML on the page")
	}
	if !strings.Contains(fmt.Sprint(b.bridgeDevices()), "onerror") {
		t.Error("the test is in vain: no device has the name")
	}
	b.mediumIsClean()
}

func TestServeStrangers(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	fake := supervisortest.Start(t, supervisortest.Options{Users: []supervisortest.User{admin, {ID: "guest", Name: "Guest", Groups: []string{"system-users"}}}, MQTT: offer(broker, home.Login{})})
	settings(t, dir, describe())
	s := inSupervisor(t, dir, fake)
	s.shows("home")
	hold := url.Values{"network": {"home"}, "verb": {"hold"}}
	for _, path := range []string{"", "overview", "events", "setup", "assets/x.css", "nothing"} {
		got := s.from("127.0.0.2", http.MethodGet, path)
		s.refuses(got, http.StatusForbidden, "served only through Home Assistant", "127.0.0.2")
	}
	s.refuses(s.from("127.0.0.2", http.MethodPost, "ask"), http.StatusForbidden, "served only through Home Assistant")
	s.refuses(s.from("127.0.0.2", http.MethodGet, "healthz"), http.StatusOK, "ok")
	s.logs("request not admitted", "from=127.0.0.2")
	for _, verb := range []string{"ask", "preview", "setup/look"} {
		s.refuses(s.request(http.MethodPost, verb, hold, "HX-Request", "no"), http.StatusForbidden, "lacks the header HX-Request")
		s.refuses(s.request(http.MethodPost, verb, hold, "X-Remote-User-Id", "guest"), http.StatusForbidden, "This was not done")
		s.refuses(s.request(http.MethodGet, verb, nil), http.StatusMethodNotAllowed)
	}
	for _, path := range []string{"nothing", "assets/../../etc/passwd", "z2mha.yaml", "%3Cscript%3E"} {
		got := s.request(http.MethodGet, path, nil)
		s.refuses(got, http.StatusNotFound, "There is no such page")
		if got.header.Get("Content-Security-Policy") == "" || strings.Contains(got.body, "<script>") {
			t.Errorf("%s is answered with\n%s", path, got.body)
		}
	}
	s.refuses(s.request(http.MethodDelete, "", nil), http.StatusMethodNotAllowed)
	s.hides("On hold")
	s.quit()

	// Without the variable only the Supervisor's own address is admitted.
	s = inSupervisor(t, dir, fake, "Z2MHA_INGRESS=")
	s.healthy()
	s.refuses(s.request(http.MethodGet, "", nil), http.StatusForbidden, "served only through Home Assistant", "127.0.0.1")
}

// from makes a request from another loopback address.
func (s *serving) from(ip, method, path string) answer {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.base()+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("X-Remote-User-Id", "owner")
	req.Header.Set("X-Forwarded-For", "127.0.0.1")
	got, err := s.do(client(ip), req)
	if err != nil {
		s.Fatal(err)
	}
	return got
}

func TestServeTwice(t *testing.T) {
	t.Parallel()
	dir, broker := t.TempDir(), embedded(t, home.Login{})
	config := settings(t, dir, describe(anywhere, brokerAt(broker)))
	first := served(t, config)
	first.shows("home")
	second := served(t, config)
	pid := fmt.Sprintf("(pid %d)", first.cmd.Process.Pid)
	second.shows("nother z2mha "+pid+" already works in", "stop it")
	second.logs("level=ERROR", pid)
	second.healthy()
	if got := first.quit(); got != 0 {
		t.Errorf("exit code %d", got)
	}
	second.hides("already works in")
	second.shows("home")
}

func TestServeOnATakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broker := embedded(t, home.Login{})
	s := served(t, settings(t, t.TempDir(), describe("page: {listen: \""+taken.Addr().String()+"\"}\n", brokerAt(broker))))
	s.logs("level=ERROR", "there is no page for now", "is another z2mha running?")
	hear(t, broker, home.Login{}).until(0, weAre, online)
	taken.Close()
	s.shows("home")
}

func TestServeOpenToEverybody(t *testing.T) {
	t.Parallel()
	dir, broker := t.TempDir(), embedded(t, home.Login{})
	_, port := freeAddress(t, "127.0.0.1")
	text := func(more string) string {
		return describe("page: {listen: \"0.0.0.0:"+port+"\""+more+"}\n", brokerAt(broker))
	}
	s := served(t, settings(t, dir, text("")))
	s.logs("level=ERROR", "reachable from other machines without a password", "add password:")
	if c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second); err == nil {
		c.Close()
		t.Error("the page is open to everybody")
	}
	settings(t, dir, text(", password: hunter2"))
	s.until("the page is where it should be", func() bool { return strings.HasSuffix(s.base(), ":"+port+"/") })
	s.refuses(s.request(http.MethodGet, "", nil), http.StatusUnauthorized, "needs a user and a password")
	got := s.request(http.MethodGet, "", nil, "Authorization", "Basic ejJtaGE6aHVudGVyMg==") // z2mha:hunter2
	s.refuses(got, http.StatusOK, "home", "cellar")
	s.wordless("hunter2")
}

func TestServeOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir, broker := folder(t), embedded(t, home.Login{})
	state := filepath.Join(dir, "disk")
	s := onDisk(t, settings(t, dir, describe(anywhere, "state: "+state+"/state\n", brokerAt(broker))), state, "size=1m,ro")
	s.shows("read-only file system", state)
	s.logs("level=ERROR", "read-only file system")
	s.healthy()
	s.inNamespace("mount", "-o", "remount,rw", state)
	s.hides("read-only file system")
	s.shows("home")
	hear(t, broker, home.Login{}).until(0, weAre, online)
}

// TestServeOnAFullDisk fills the disk of the state: nothing is begun that could not be
// written down.
func TestServeOnAFullDisk(t *testing.T) {
	b := simulated(t).start()
	b.reconfigure(func(s string) string { return anywhere + s })
	s := onDisk(t, b.home.Config, b.home.State(), "size=4m")
	s.shows("Sync now")
	filler := filepath.Join(b.home.State(), "filler")
	s.until("the first sync", func() bool { return s.press("sync", "").status == http.StatusAccepted })
	s.shows("copied")
	s.inNamespace("sh", "-c", "cat /dev/zero >"+filler+" 2>/dev/null; true")
	b.changesNothing(func() {
		s.until("the switchover is refused", func() bool {
			got := s.press("switchover", "cellar")
			return got.status != http.StatusAccepted && strings.Contains(readable(got.body), "no space left")
		})
	})
	s.healthy()
	b.lampAnswersThrough(b.home.Attic)
	s.inNamespace("rm", filler)
	s.until("the switchover is begun", func() bool { return s.press("switchover", "cellar").status == http.StatusAccepted })
	b.lampAnswersThrough(b.home.Cellar)
	b.mediumIsClean()
}

// onDisk starts z2mha in a mount namespace of its own, with a small file system at dir.
func onDisk(t *testing.T, config, dir, options string) *serving {
	t.Helper()
	unshare := program(t, "unshare")
	program(t, "nsenter")
	if out, err := exec.Command(unshare, "-m", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput(); err != nil {
		missing(t, "the right to mount in a namespace of one's own", fmt.Sprintf("run as root (%s)", out))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const script = `set -e; mount -t tmpfs -o "$1" none "$2"; shift 2; exec "$@"`
	return observed(t, exec.Command(unshare, "-m", "sh", "-c", script, "sh", options, dir, z2mhaBinary, "--config", config, "serve"))
}

// inNamespace runs a program where z2mha sees its disks.
func (s *serving) inNamespace(args ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	enter := append([]string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", s.cmd.Process.Pid)}, args...)
	if out, err := exec.CommandContext(ctx, program(s.T, "nsenter"), enter...).CombinedOutput(); err != nil {
		s.Fatalf("%q: %v: %s", args, err, out)
	}
}
