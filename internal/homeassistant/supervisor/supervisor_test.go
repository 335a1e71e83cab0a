package supervisor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/google/go-cmp/cmp"

	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

func client(t testing.TB, f *supervisortest.Fake, change ...func(*supervisor.Config)) *supervisor.Client {
	t.Helper()
	cfg := supervisor.Config{URL: f.URL, Token: supervisor.NewSecret(f.Token)}
	for _, c := range change {
		c(&cfg)
	}
	c, err := supervisor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start returns a client over a fake on loopback.
func start(t testing.TB, o supervisortest.Options) (*supervisor.Client, *supervisortest.Fake) {
	t.Helper()
	f := supervisortest.Start(t, o)
	return client(t, f), f
}

// inBubble runs test with a client over a fake in memory, where waiting costs nothing.
func inBubble(t *testing.T, o supervisortest.Options, test func(*testing.T, *supervisor.Client, *supervisortest.Fake)) {
	t.Helper()
	o.InMemory = true
	synctest.Test(t, func(t *testing.T) {
		f := supervisortest.Start(t, o)
		test(t, client(t, f, func(c *supervisor.Config) { c.Dialer = f.Dial }), f)
	})
}

// within is a context for calls that are expected to fail in the end.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestSelf(t *testing.T) {
	c, _ := start(t, supervisortest.Options{Version: "0.2.0", Saved: map[string]any{"mqtt": map[string]any{"password": "rosebud"}}})
	self, err := c.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := supervisor.Self{
		Slug: "0a1b2c3d_zigbee2mqtt_ha", Name: "Zigbee2MQTT High Availability", Version: "0.2.0", VersionLatest: "0.2.0",
		State: "started", Hostname: "0a1b2c3d-zigbee2mqtt-ha", IPAddress: "172.30.33.5",
		IngressEntry: "/api/hassio_ingress/made_up_ingress_path", IngressURL: "/api/hassio_ingress/made_up_ingress_path/",
		IngressPort: 8099, IngressPanel: true, Boot: "auto", Protected: true, Rating: 7, HassioRole: "default",
		Options: supervisor.NewSecret(`{"mqtt":{"password":"rosebud"}}`),
	}
	if diff := cmp.Diff(want, self); diff != "" {
		t.Error(diff)
	}
}

func TestInfoStatsAndCoreConfig(t *testing.T) {
	c, _ := start(t, supervisortest.Options{})
	info, err := c.Info(t.Context())
	if err != nil || info.Supervisor != "2026.08.0" || info.HomeAssistant != "2026.9.2" || info.HassOS != "" ||
		info.Timezone != "Europe/Berlin" || info.Arch != "amd64" || info.Hostname != "homeassistant" {
		t.Errorf("info: %+v, %v", info, err)
	}
	stats, err := c.Stats(t.Context())
	if err != nil || stats.MemoryUsage != 18_874_368 || stats.CPUPercent != 0.35 || stats.BlkWrite != 40_960 {
		t.Errorf("stats: %+v, %v", stats, err)
	}
	core, err := c.CoreConfig(t.Context())
	want := supervisor.CoreConfig{Version: "2026.9.2", LocationName: "Home", TimeZone: "Europe/Berlin", Language: "de"}
	if err != nil || core != want {
		t.Errorf("core: %+v, %v", core, err)
	}
}

func TestOptionsAreSavedAndComeBack(t *testing.T) {
	c, f := start(t, supervisortest.Options{})
	if err := c.SetOptions(t.Context(), map[string]any{"language": "de", "log_level": "debug"}); err != nil {
		t.Fatal(err)
	}
	o, problems, err := c.Options(t.Context())
	if err != nil || len(problems) > 0 || o.Language != "de" || o.LogLevel != slog.LevelDebug {
		t.Errorf("options: %+v, %v, %v", o, problems, err)
	}
	if err := c.SetOptions(t.Context(), nil); err != nil || len(f.Saved()) != 0 {
		t.Errorf("back to the defaults: %v, %v", f.Saved(), err)
	}
	f.Handle("POST /addons/self/options", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"result":"error","message":"App x has invalid options: expected str","error_key":"app_configuration_invalid_error"}`)
	})
	err = c.SetOptions(t.Context(), map[string]any{"language": 1})
	refused, ok := errors.AsType[*supervisor.APIError](err)
	if !ok || refused.Status != 400 || refused.Key != "app_configuration_invalid_error" || !strings.Contains(err.Error(), "expected str") {
		t.Errorf("a refused option: %v", err)
	}
	if err := c.SetOptions(t.Context(), map[string]any{"language": func() {}}); err == nil || !strings.Contains(err.Error(), "unsupported type") {
		t.Errorf("an option that JSON cannot hold: %v", err)
	}
}

func TestRestartIsNotAskedForTwice(t *testing.T) {
	c, f := start(t, supervisortest.Options{NotReady: 1})
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Handle("POST /addons/self/restart", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if err := c.Restart(t.Context()); !errors.Is(err, supervisor.ErrUnreachable) {
		t.Errorf("the connection broke after the request: %v", err)
	}
	f.Wait("three calls", func(f *supervisortest.Fake) bool { return f.Count("POST /addons/self/restart") == 3 })
}

func TestMQTT(t *testing.T) {
	for name, o := range map[string]supervisortest.MQTT{
		"named under addon": {},
		"named under app":   {AppKey: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Host, o.Port, o.User, o.Password = "core-mosquitto", 1883, "addons", "rosebud"
			c, _ := start(t, supervisortest.Options{MQTT: &o})
			m, err := c.MQTT(t.Context())
			want := supervisor.MQTT{Host: "core-mosquitto", Port: 1883, User: "addons", Password: supervisor.NewSecret("rosebud"), Protocol: "3.1.1", Provider: "core_mosquitto"}
			if err != nil || !cmp.Equal(m, want) || m.Server() != "mqtt://core-mosquitto:1883" {
				t.Errorf("got %+v at %s, %v", m, m.Server(), err)
			}
		})
	}
	if got := (supervisor.MQTT{Host: "2001:db8::1", Port: 8883, TLS: true}).Server(); got != "mqtts://[2001:db8::1]:8883" {
		t.Errorf("with TLS: %s", got)
	}
}

func TestNoBroker(t *testing.T) {
	c, _ := start(t, supervisortest.Options{})
	_, err := c.MQTT(t.Context())
	if !errors.Is(err, supervisor.ErrNoMQTT) || !strings.Contains(err.Error(), "Mosquitto broker add-on") {
		t.Errorf("without a broker: %v", err)
	}
	c, _ = start(t, supervisortest.Options{MQTT: &supervisortest.MQTT{}})
	if _, err := c.MQTT(t.Context()); !errors.Is(err, supervisor.ErrNoMQTT) {
		t.Errorf("a broker without an address: %v", err)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	foreign := func(c *supervisor.Config) { c.Token = supervisor.NewSecret("of-an-earlier-start") }
	same := func(*supervisor.Config) {}
	self := func(ctx context.Context, c *supervisor.Client) error { _, err := c.Self(ctx); return err }
	notify := func(ctx context.Context, c *supervisor.Client) error { return c.Notify(ctx, "a", "b", "c") }
	admins := func(ctx context.Context, c *supervisor.Client) error { _, err := c.Admins(ctx); return err }
	broker := func(ctx context.Context, c *supervisor.Client) error { _, err := c.MQTT(ctx); return err }
	tests := []struct {
		name    string
		options supervisortest.Options
		change  func(*supervisor.Config)
		call    func(context.Context, *supervisor.Client) error
		want    string
	}{
		{"the token of another start", supervisortest.Options{}, foreign, self, "token"},
		{"the token of another start, at Home Assistant", supervisortest.Options{}, foreign, notify, "token"},
		{"the token of another start, over WebSocket", supervisortest.Options{}, foreign, admins, "token"},
		{"no homeassistant_api", supervisortest.Options{WithoutCoreAPI: true}, same, notify, "homeassistant_api: true"},
		{"no homeassistant_api, over WebSocket", supervisortest.Options{WithoutCoreAPI: true}, same, admins, "homeassistant_api: true"},
		{"no services", supervisortest.Options{WithoutMQTTService: true}, same, broker, "mqtt:want"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := supervisortest.Start(t, test.options)
			c := client(t, f, test.change)
			err := test.call(t.Context(), c)
			if !errors.Is(err, supervisor.ErrForbidden) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if len(f.Calls()) != 1 {
				t.Errorf("a refusal is no reason to ask again: %v", f.Calls())
			}
		})
	}
}

func TestTokenAndAddress(t *testing.T) {
	token := supervisor.NewSecret("x")
	if _, err := supervisor.New(supervisor.Config{}); !errors.Is(err, supervisor.ErrNoToken) {
		t.Errorf("without a token: %v", err)
	}
	if _, err := supervisor.New(supervisor.Config{Token: supervisor.NewSecret("rosebud\n")}); err == nil || strings.Contains(err.Error(), "rosebud") {
		t.Errorf("a token with a line break: %v", err)
	}
	for _, bad := range []string{"supervisor", "ftp://supervisor", "http://user:rosebud@supervisor", "http://", "http://a?b=c", "http://a b"} {
		if _, err := supervisor.New(supervisor.Config{URL: bad, Token: token}); err == nil || strings.Contains(err.Error(), "rosebud") {
			t.Errorf("address %q: %v", bad, err)
		}
	}
	c, err := supervisor.New(supervisor.Config{Token: token})
	if err != nil || c.String() != "Supervisor at http://supervisor" {
		t.Errorf("by default: %v, %v", c, err)
	}
}

func TestWaitsUntilTheSupervisorIsReady(t *testing.T) {
	inBubble(t, supervisortest.Options{}, func(t *testing.T, c *supervisor.Client, f *supervisortest.Fake) {
		f.SetNotReady(4)
		began := time.Now()
		if _, err := c.Info(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited != (500+1000+2000+4000)*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestGivesUpWithTheContext(t *testing.T) {
	calls := map[string]struct {
		options supervisortest.Options
		call    func(context.Context, *supervisor.Client) error
		want    error
	}{
		"not ready":                  {supervisortest.Options{NotReady: 1000}, func(ctx context.Context, c *supervisor.Client) error { _, err := c.Self(ctx); return err }, supervisor.ErrNotReady},
		"not ready for the socket":   {supervisortest.Options{NotReady: 1000}, func(ctx context.Context, c *supervisor.Client) error { _, err := c.Admins(ctx); return err }, supervisor.ErrNotReady},
		"no Home Assistant":          {supervisortest.Options{CoreDown: true}, func(ctx context.Context, c *supervisor.Client) error { return c.Dismiss(ctx, "a") }, supervisor.ErrCoreNotRunning},
		"no Home Assistant's socket": {supervisortest.Options{CoreDown: true}, func(ctx context.Context, c *supervisor.Client) error { _, err := c.Admins(ctx); return err }, supervisor.ErrCoreNotRunning},
	}
	for name, test := range calls {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.options, func(t *testing.T, c *supervisor.Client, f *supervisortest.Fake) {
				err := test.call(within(t, time.Minute), c)
				if !errors.Is(err, test.want) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if n := len(f.Calls()); n < 5 || n > 9 {
					t.Errorf("asked %d times in a minute", n)
				}
			})
		})
	}
}

func TestUnreachable(t *testing.T) {
	inBubble(t, supervisortest.Options{}, func(t *testing.T, _ *supervisor.Client, f *supervisortest.Fake) {
		c := client(t, f, func(cfg *supervisor.Config) {
			cfg.Dialer = supervisortest.Refuse
		})
		_, err := c.Info(within(t, time.Minute))
		if !errors.Is(err, supervisor.ErrUnreachable) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
		_, err = c.UserList(within(t, time.Minute))
		if !errors.Is(err, supervisor.ErrUnreachable) {
			t.Errorf("over WebSocket: %v", err)
		}
	})
}

func TestSlowAnswers(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	inBubble(t, supervisortest.Options{}, func(t *testing.T, c *supervisor.Client, f *supervisortest.Fake) {
		f.Handle("GET /info", hang)
		f.Handle("GET /core/websocket", hang)
		began := time.Now()
		_, err := c.Info(within(t, 3*time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		began = time.Now()
		_, err = c.UserList(within(t, 3*time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("over WebSocket after %s: %v", time.Since(began), err)
		}
		_, err = c.Info(within(t, 50*time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || f.Count("GET /info") < 2 {
			t.Errorf("one that never answers is asked again: %v", err)
		}
	})
}

func TestStrangeAnswers(t *testing.T) {
	tests := []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		{"malformed JSON", says(200, `{"result":`), "read answer"},
		{"not what was asked for", says(200, `{"result":"ok","data":["a"]}`), "read answer"},
		{"no data", says(200, `{"result":"ok"}`), "empty"},
		{"another language", says(200, `<html>`), "read answer"},
		{"an error with status 200", says(200, `{"result":"error","message":"no"}`), "status 200: no"},
		{"not found", says(404, `404: Not Found`), "404: Not Found"},
		{"an error without words", says(500, ``), "status 500"},
		{"an error on many lines", says(400, `{"result":"error","message":"a\r\n\u001b[31mb\u0000c"}`), ": a [31mb c"},
		{"the token in an error", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"message":"bad header %s"}`, r.Header.Get("Authorization"))
		}, "bad header Bearer (hidden)"},
		{"a huge body", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 5<<20)) }, "longer than 4 MiB"},
		{"a huge error", says(400, strings.Repeat("ü", 1<<20)), "…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, f := start(t, supervisortest.Options{})
			f.Handle("GET /info", test.answer)
			_, err := c.Info(within(t, time.Minute))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), f.Token) {
				t.Fatalf("got %v", err)
			}
			if len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("not fit to be shown: %q", err)
			}
			if f.Count("GET /info") > 1 {
				t.Error("asked again")
			}
		})
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestRedirectsAreNotFollowed(t *testing.T) {
	thief := supervisortest.Start(t, supervisortest.Options{})
	c, f := start(t, supervisortest.Options{})
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	f.Handle("GET /info", away)
	f.Handle("GET /core/websocket", away)
	f.Handle("POST /core/api/services/persistent_notification/create", away)
	_, infoErr := c.Info(t.Context())
	_, usersErr := c.UserList(t.Context())
	for _, err := range []error{infoErr, usersErr, c.Notify(t.Context(), "a", "b", "c")} {
		if refused, ok := errors.AsType[*supervisor.APIError](err); !ok || refused.Status != http.StatusTemporaryRedirect {
			t.Errorf("got %v", err)
		}
	}
	if len(thief.Calls()) > 0 {
		t.Errorf("followed: %+v", thief.Calls())
	}
}

func TestSocketThatEndsEarly(t *testing.T) {
	tests := []struct {
		name string
		talk func(ctx context.Context, conn *websocket.Conn) error
		want error
		text string
	}{
		{"it is closed at once", func(context.Context, *websocket.Conn) error { return nil }, supervisor.ErrCoreNotRunning, ""},
		{"it is closed after the login, as when Home Assistant is away", login, supervisor.ErrCoreNotRunning, ""},
		{"it talks nonsense", func(ctx context.Context, conn *websocket.Conn) error {
			return conn.Write(ctx, websocket.MessageText, []byte("hello"))
		}, nil, "read answer"},
		{"the list is no list", func(ctx context.Context, conn *websocket.Conn) error {
			return errors.Join(login(ctx, conn), say(ctx, conn, `{"id":1,"type":"result","success":true,"result":7}`))
		}, nil, "read answer"},
		{"Home Assistant refuses", func(ctx context.Context, conn *websocket.Conn) error {
			return errors.Join(login(ctx, conn), say(ctx, conn, `{"id":1,"type":"result","success":false,"error":{"code":"unauthorized","message":"Unauthorized"}}`))
		}, supervisor.ErrForbidden, ""},
		{"Home Assistant does not know the command yet", func(ctx context.Context, conn *websocket.Conn) error {
			return errors.Join(login(ctx, conn), say(ctx, conn, `{"id":1,"type":"result","success":false,"error":{"code":"unknown_command","message":"Unknown command."}}`))
		}, nil, "unknown_command: Unknown command."},
		{"other messages only", func(ctx context.Context, conn *websocket.Conn) error {
			err := login(ctx, conn)
			for range 100 {
				err = errors.Join(err, say(ctx, conn, `{"id":7,"type":"event"}`))
			}
			return err
		}, nil, "not the answer"},
		{"a huge message", func(ctx context.Context, conn *websocket.Conn) error {
			_ = login(ctx, conn)
			_ = say(ctx, conn, strings.Repeat(" ", 5<<20)) // the other side leaves in the middle
			return nil
		}, nil, "longer than 4 MiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, supervisortest.Options{}, func(t *testing.T, c *supervisor.Client, f *supervisortest.Fake) {
				f.Handle("GET /core/websocket", func(w http.ResponseWriter, r *http.Request) {
					conn, err := websocket.Accept(w, r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.CloseNow()
					if err := test.talk(within(t, time.Minute), conn); err != nil {
						t.Error(err)
					}
				})
				_, err := c.UserList(within(t, 8*time.Second))
				if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// login is the other side of the login; it takes any token, and the command that follows.
func login(ctx context.Context, conn *websocket.Conn) error {
	var auth, command json.RawMessage
	return errors.Join(
		say(ctx, conn, `{"type":"auth_required"}`), wsjson.Read(ctx, conn, &auth),
		say(ctx, conn, `{"type":"auth_ok"}`), wsjson.Read(ctx, conn, &command))
}

func say(ctx context.Context, conn *websocket.Conn, text string) error {
	return conn.Write(ctx, websocket.MessageText, []byte(text))
}

func TestSecretsAreNotPrinted(t *testing.T) {
	const password = "rosebud-7f3a"
	var log bytes.Buffer
	f := supervisortest.Start(t, supervisortest.Options{
		NotReady: 1, CoreDown: true, MQTT: &supervisortest.MQTT{Host: "broker", Port: 1883, User: "addons", Password: password},
		Saved: map[string]any{"mqtt": map[string]any{"password": password}, "log_level": 1},
	})
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := supervisor.Config{URL: f.URL, Token: supervisor.NewSecret(f.Token), Log: logger}
	c := client(t, f, func(x *supervisor.Config) { *x = cfg })
	m, err := c.MQTT(t.Context())
	if err != nil || m.Password.Reveal() != password {
		t.Fatalf("MQTT: %v", err)
	}
	self, err := c.Self(t.Context())
	if err != nil || !strings.Contains(self.Options.Reveal(), password) {
		t.Fatalf("self: %v", err)
	}
	options, problems, err := c.Options(t.Context())
	if err != nil || options.MQTT.Password.Reveal() != password || len(problems) != 1 {
		t.Fatalf("options: %v, %v", problems, err)
	}
	inside := struct{ kept supervisor.Secret }{m.Password}
	notifyErr := c.Notify(within(t, time.Second), "a", "b", "c")
	for _, x := range []any{c, *c, cfg, m, &m, self, &self, options, &options, problems, m.Password, &m.Password, inside, notifyErr} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
			fmt.Fprintf(&log, verb+"\n", x)
		}
		logger.Info("shown", "x", x)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("shown", "x", x)
		if b, err := json.Marshal(x); err == nil {
			log.Write(b)
		}
	}
	for _, secret := range []string{password, f.Token} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%v", []byte(secret))} {
			if at := strings.Index(log.String(), strings.Trim(form, "[]")); at >= 0 {
				t.Errorf("found %q in %q", form, log.String()[max(0, at-200):at+len(form)])
			}
		}
	}
	var back supervisor.Secret
	if b, _ := json.Marshal(supervisor.Secret{}); string(b) != `""` || json.Unmarshal([]byte(`"a"`), &back) != nil || back.Reveal() != "a" {
		t.Errorf("an empty secret is %s, one that was read %q", b, back.Reveal())
	}
}

func TestNotify(t *testing.T) {
	c, f := start(t, supervisortest.Options{})
	for _, message := range []string{"first", "Ünïcödé \"quoted\" <b>"} {
		if err := c.Notify(t.Context(), "z2mha_home", "Title", message); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]supervisortest.Notification{"z2mha_home": {Title: "Title", Message: "Ünïcödé \"quoted\" <b>"}}
	if diff := cmp.Diff(want, f.Notifications()); diff != "" {
		t.Error(diff)
	}
	if err := c.Dismiss(t.Context(), "z2mha_home"); err != nil || len(f.Notifications()) != 0 {
		t.Errorf("dismiss: %v, %v", f.Notifications(), err)
	}
}

func TestPlain(t *testing.T) {
	got := supervisor.Plain("[Küche](http://x)\n# <b>{{ 1 }}</b> *a*")
	want := `\[Küche\]\(http\:\/\/x\) \# \<b\>\{\{ 1 \}\}\<\/b\> \*a\*`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
