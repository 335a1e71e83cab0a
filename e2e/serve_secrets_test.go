package e2e_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/homeassistant/supervisor/supervisortest"
	"z2mha/internal/world/home"
)

// A secret is something that must show nowhere.
type secret struct {
	name  string
	bytes []byte
}

const (
	mqttSecret      = "mqtt-5ecret-of-the-home"
	pageSecret      = "page-5ecret-of-the-home"
	communitySecret = "trap-5ecret-of-the-home"
	tokenSecret     = "5f0e7a91c3d84b26-supervisor-token-of-the-home"
)

// TestServeKeepsSecrets runs z2mha through all that it does, with the most talkative
// log, and searches everything that it says anywhere for every secret it knows, in
// every form in which a program might print it.
func TestServeKeepsSecrets(t *testing.T) {
	login := home.Login{User: "z2mha", Password: mqttSecret}
	b := simulated(t, func(o *home.Options) { o.Login = login }).start()
	traps := newTrapLog(t)
	b.reconfigure(func(s string) string {
		s = strings.Replace(s, "start: 40s", "start: 5s", 1)
		return s + fmt.Sprintf("page: {listen: \"127.0.0.1:0\", password: %s}\nsnmp:\n  - {address: %q, community: %s}\n  - {address: %[2]q, community: %s, format: prototype}\n",
			pageSecret, traps.conn.LocalAddr(), communitySecret, communitySecret)
	})
	data := folder(t)
	raw, err := os.ReadFile(b.home.Config)
	if err != nil {
		t.Fatal(err)
	}
	settings(t, data, string(raw))
	writeFile(t, filepath.Join(data, "options.json"), `{"log_level": "trace"}`)
	fake := supervisortest.Start(t, supervisortest.Options{Token: tokenSecret, Users: []supervisortest.User{admin}})
	e := hear(t, b.home.Broker(), login)
	s := inSupervisor(t, data, fake)
	s.shows("Sync now")
	s.follows()

	n := e.until(0, "z2mha/home/switchover_available", "online")
	s.press("sync", "")
	n = e.until(n, eventOf, "sync_completed")
	e.say("z2mha/home/cmd/active_node", "cellar", false)
	n = e.until(n, eventOf, "switchover_completed")
	e.say("z2mha/home/cmd/active_node", mqttSecret, false) // even if somebody sends one
	n = e.until(n, eventOf, `"refused"`)
	b.breakService(b.home.Attic)
	s.press("switchover", "attic")
	e.until(n, eventOf, "switchover_failed")
	b.lampAnswersThrough(b.home.Cellar)
	for _, verb := range []string{"sync", "switchover", "stop", "start", "hold", "release"} {
		s.request(http.MethodPost, "preview", url.Values{"network": {"home"}, "verb": {verb}, "to": {"cellar"}})
	}
	s.request(http.MethodGet, "setup", nil)
	for _, step := range []string{"look", "review", "save"} {
		s.request(http.MethodPost, "setup/"+step, url.Values{"network": {"home"}, "host": {b.home.Attic.Host.Addr()}, "address": {b.home.Attic.Host.Addr()},
			"name": {"attic2"}, "user": {"root"}, "become": {"none"}})
	}
	fake.Wait("a notification", func(f *supervisortest.Fake) bool {
		return len(f.Notifications()) > 0 || f.Count("POST /core/api/services/persistent_notification/create") > 0
	})
	if got := s.quit(); got != 0 {
		t.Errorf("exit code %d", got)
	}

	said := map[string]string{"the log": s.out.String(), "the page": s.saw.String()}
	for _, m := range e.messages() {
		// Zigbee2MQTT's own answer is wanted, commands are ours.
		if !strings.HasSuffix(m.Topic, "/bridge/response/backup") && !strings.Contains(m.Topic, "/cmd/") {
			said["MQTT topic "+m.Topic] += m.Topic + " " + string(m.Payload) + "\n"
		}
	}
	for id, note := range fake.Notifications() {
		said["notification "+id] = note.Title + "\n" + note.Message
	}
	for _, call := range fake.Calls() {
		said["calls of the Supervisor"] += call.Path + " " + call.Body + "\n"
	}
	for _, name := range []string{"events", "runs", "holds", "entities.json"} {
		said["state/"+name] = everythingIn(t, filepath.Join(b.home.State(), name))
	}
	secrets := b.secrets()
	for where, text := range said {
		for _, leak := range leaks(text, secrets) {
			t.Errorf("%s has %s", where, leak)
		}
	}
	withoutCommunity := slices.DeleteFunc(slices.Clone(secrets), func(x secret) bool { return x.name == "trap community" }) // SNMPv2c sends it
	for _, leak := range leaks(traps.all(), withoutCommunity) {
		t.Errorf("a trap has %s", leak)
	}
	for what, want := range map[string]string{
		"the log": "level=DEBUG", "the page": "event: overview", "state/runs": `"event":"done"`, "state/events": "sync_completed",
		"state/entities.json": "z2mha_home", "MQTT topic zigbee2mqtt/bridge/info": "network", "calls of the Supervisor": "notification_id",
	} {
		if !strings.Contains(said[what], want) {
			t.Errorf("the test is in vain: %s has no %q", what, want)
		}
	}
	if !strings.Contains(traps.all(), communitySecret) {
		t.Error("the test is in vain: no trap came")
	}
	b.mediumIsClean()
}

// secrets are all that z2mha gets to see.
func (b *bench) secrets() []secret {
	b.Helper()
	out := []secret{
		{"MQTT password", []byte(mqttSecret)}, {"page password", []byte(pageSecret)},
		{"trap community", []byte(communitySecret)}, {"SUPERVISOR_TOKEN", []byte(tokenSecret)},
	}
	for _, file := range []string{filepath.Join(filepath.Dir(b.home.Config), "id_ed25519"), filepath.Join(b.home.State(), "id_ed25519")} {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		key, err := ssh.ParseRawPrivateKey(raw)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, secret{"SSH key", key.(*ed25519.PrivateKey).Seed()}, secret{"SSH key file", bytes.Split(raw, []byte("\n"))[2]})
	}
	keys := regexp.MustCompile(`"(key|tclk_seed)": ?"([0-9a-f]{32})"`).FindAllStringSubmatch(b.read(b.home.Attic, "coordinator_backup.json"), -1)
	if len(keys) < 2 {
		b.Fatal("the backup has no link keys")
	}
	for _, k := range keys {
		raw, err := hex.DecodeString(k[2])
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, secret{"network or link key", raw})
	}
	return out
}

// everythingIn is the content of all files below path.
func everythingIn(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		b.Write(raw)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return b.String()
}

// leaks names every secret in text, with its form.
func leaks(text string, secrets []secret) []string {
	lower := strings.ToLower(text)
	numbers := " " + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }), " ") + " "
	bare := strings.NewReplacer(":", "", " ", "", "\\x", "", "0x", "", ",", "", "-", "").Replace(lower)
	var out []string
	for _, s := range secrets {
		turned := slices.Clone(s.bytes)
		slices.Reverse(turned)
		for form, found := range map[string]bool{
			"as it is":              strings.Contains(text, string(s.bytes)),
			"in hex":                strings.Contains(bare, hex.EncodeToString(s.bytes)),
			"in hex, reversed":      strings.Contains(bare, hex.EncodeToString(turned)),
			"as it is, reversed":    strings.Contains(text, string(turned)),
			"in base64":             inBase64(text, s.bytes),
			"in base64, reversed":   inBase64(text, turned),
			"as numbers":            strings.Contains(numbers, " "+decimals(s.bytes)+" "),
			"as numbers, reversed":  strings.Contains(numbers, " "+decimals(turned)+" "),
			"in Go's syntax":        strings.Contains(text, strings.TrimPrefix(fmt.Sprintf("%#v", s.bytes), "[]byte")),
			"quoted as Go would":    strings.Contains(text, strings.Trim(fmt.Sprintf("%q", s.bytes), `"`)),
			"quoted as JSON would":  strings.Contains(text, strings.Trim(fmt.Sprintf("%+q", s.bytes), `"`)),
			"as the start of a hex": len(s.bytes) >= 16 && strings.Contains(bare, hex.EncodeToString(s.bytes[:10])),
		} {
			if found {
				out = append(out, s.name+" "+form)
			}
		}
	}
	return out
}

func decimals(b []byte) string { return strings.Trim(fmt.Sprint(b), "[]") }

// inBase64 looks for what encodes b wherever b begins in what was encoded.
func inBase64(text string, b []byte) bool {
	for _, code := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			whole := code.EncodeToString(append(make([]byte, before), b...))
			inner := whole[(before*8+5)/6 : (before+len(b))*8/6]
			if strings.Contains(text, inner) {
				return true
			}
		}
	}
	return false
}

// TestSecretsWouldBeFound plants every form of a secret.
func TestSecretsWouldBeFound(t *testing.T) {
	key := []byte{0x5A, 0x03, 0x4D, 0xFB, 0x41, 0xBE, 0x64, 0xFF, 0x6D, 0x6F, 0x20, 0x00, 0x6F, 0x6D, 0x65, 0xF1}
	turned := slices.Clone(key)
	slices.Reverse(turned)
	list := func(between string) string {
		var parts []string
		for _, c := range key {
			parts = append(parts, fmt.Sprint(c))
		}
		return strings.Join(parts, between)
	}
	planted := map[string]string{
		"hex": fmt.Sprintf("%x", key), "HEX": fmt.Sprintf("%X", key), "hex with colons": strings.ReplaceAll(fmt.Sprintf("% x", key), " ", ":"),
		"hex reversed": fmt.Sprintf("%x", turned), "HEX reversed": fmt.Sprintf("%X", turned),
		"base64": base64.StdEncoding.EncodeToString(key), "base64 without padding": base64.RawStdEncoding.EncodeToString(key),
		"base64 for addresses": base64.URLEncoding.EncodeToString(key), "base64 for addresses without padding": base64.RawURLEncoding.EncodeToString(key),
		"base64 within something":      base64.StdEncoding.EncodeToString([]byte("key=" + string(key) + ";")),
		"base64 within something else": base64.StdEncoding.EncodeToString([]byte("a:" + string(key) + ";")),
		"YAML flow list":               "[" + list(", ") + "]", "JSON list": "[" + list(",") + "]", "YAML block list": "- " + list("\n- "), "indented": "  - " + list("\n    - "),
		"Go slice": fmt.Sprint(key), "raw": string(key), "raw reversed": string(turned), "quoted": fmt.Sprintf("%q", key), "Go syntax": fmt.Sprintf("%#v", key),
	}
	for form, text := range planted {
		if len(leaks("some text before "+text+" and after", []secret{{"key", key}})) == 0 {
			t.Errorf("%s is not found", form)
		}
	}
	innocent := strings.Repeat("time=2026-11-22 level=INFO 1, 2, 3 5a034d 90 3 77 251 WgNN ", 50)
	if got := leaks(innocent, []secret{{"key", key}}); len(got) > 0 {
		t.Errorf("found in what has none: %q", got)
	}
}

// follows reads the page's live stream until z2mha ends.
func (s *serving) follows() {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.base()+"events", nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("X-Remote-User-Id", "owner")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { resp.Body.Close() })
	go func() { _, _ = io.Copy(s.saw, resp.Body) }() // it ends with z2mha
}

// A trapLog is a receiver of traps that keeps every packet.
type trapLog struct {
	conn net.PacketConn
	got  spoken
}

func newTrapLog(t *testing.T) *trapLog {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &trapLog{conn: conn}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = l.got.Write(append(buf[:n], '\n'))
		}
	}()
	return l
}

func (l *trapLog) all() string { return l.got.String() }
