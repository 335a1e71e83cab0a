package supervisortest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

func ask(t *testing.T, f *supervisortest.Fake, call, token, body string) (int, string) {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// The words and numbers are those of the real one.
func TestWhatTheSupervisorRefuses(t *testing.T) {
	type options = supervisortest.Options
	const notifications = "POST /core/api/services/persistent_notification/"
	tests := []struct {
		name    string
		options options
		call    string
		token   string // "" the right one, "-" none
		body    string
		status  int
		text    string
	}{
		{"the own data without a token", options{}, "GET /addons/self/info", "-", "", 401, "401: Unauthorized"},
		{"the own data with another token", options{}, "GET /addons/self/info", "other", "", 403, "403: Forbidden"},
		{"Home Assistant without a token", options{}, "GET /core/api/config", "-", "", 401, "401: Unauthorized"},
		{"Home Assistant with another token", options{}, "GET /core/api/config", "other", "", 401, "401: Unauthorized"},
		{"Home Assistant without homeassistant_api", options{WithoutCoreAPI: true}, "GET /core/api/config", "", "", 401, "401: Unauthorized"},
		{"Home Assistant that does not run", options{CoreDown: true}, "GET /core/api/config", "", "", 502, "502: Bad Gateway"},
		{"the WebSocket of Home Assistant that does not run", options{CoreDown: true}, "GET /core/websocket", "", "", 502, "502: Bad Gateway"},
		{"the integration of the Supervisor", options{Role: "admin"}, "POST /core/api/hassio_auth", "", "", 403, "403: Forbidden"},
		{"what Home Assistant does not have", options{}, "GET /core/api/x", "", "", 404, "404: Not Found"},
		{"a notification without text", options{}, notifications + "create", "", `{"notification_id":"a"}`, 400, "400: Bad Request"},
		{"a notification with more", options{}, notifications + "create", "", `{"message":"a","x":1}`, 400, "400: Bad Request"},
		{"dismissing nothing", options{}, notifications + "dismiss", "", `{}`, 400, "400: Bad Request"},
		{"the list of add-ons", options{}, "GET /addons", "", "", 403, "403: Forbidden"},
		{"the list of add-ons is not made up", options{Role: "manager"}, "GET /addons", "", "", 404, "404: Not Found"},
		{"starting another add-on", options{}, "POST /addons/45df7312_zigbee2mqtt/start", "", "", 403, "403: Forbidden"},
		{"protection of another add-on", options{Role: "manager"}, "POST /addons/45df7312_zigbee2mqtt/security", "", "", 403, "403: Forbidden"},
		{"own protection", options{}, "POST /addons/self/security", "", "", 403, "403: Forbidden"},
		{"own update", options{}, "POST /addons/self/update", "", "", 403, "403: Forbidden"},
		{"system options, even to an administrator", options{Role: "admin"}, "POST /addons/x/sys_options", "", "", 403, "403: Forbidden"},
		{"the host without hassio_api", options{WithoutHassioAPI: true}, "GET /host/info", "", "", 403, "403: Forbidden"},
		{"a broker to whom it is not promised", options{WithoutMQTTService: true}, "GET /services/mqtt", "", "", 403, `{"message":"No access to mqtt service!","result":"error"}`},
		{"a broker that is not there", options{}, "GET /services/mqtt", "", "", 400, `{"message":"Service not enabled","result":"error"}`},
		{"everything while it starts", options{NotReady: 1}, "GET /info", "", "", 400, `{"message":"System is not ready with state: setup","result":"error"}`},
		{"everything while it starts, also Home Assistant", options{NotReady: 1}, "GET /core/api/config", "", "", 400, `{"message":"System is not ready with state: setup","result":"error"}`},
		{"what looks like an attack", options{}, "GET /info?x=/a/", "", "", 400, "400: Bad Request"},
		{"settings it does not know", options{}, "POST /addons/self/options", "", `{"x":1}`, 400, `{"message":"extra keys not allowed @ data['x']. Got 1","result":"error"}`},
		{"options that are none", options{}, "POST /addons/self/options", "", `{"options":[]}`, 400, `{"message":"expected dict for dictionary value @ data['options']. Got []","result":"error"}`},
		{"what is no JSON", options{}, "POST /addons/self/options", "", `{`, 400, `{"message":"Invalid json","result":"error"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := supervisortest.Start(t, test.options)
			token := strings.TrimSuffix(test.token, "-")
			if test.token == "" {
				token = f.Token
			}
			status, text := ask(t, f, test.call, token, test.body)
			if status != test.status || text != test.text {
				t.Errorf("got %d %s", status, text)
			}
			if calls := f.Calls(); len(calls) != 1 || calls[0].Status != test.status {
				t.Errorf("noted: %+v", calls)
			}
		})
	}
}

func TestWhatTheSupervisorAllows(t *testing.T) {
	type options = supervisortest.Options
	tests := []struct {
		name    string
		options options
		call    string
		body    string
	}{
		{"own data without hassio_api", options{WithoutHassioAPI: true}, "GET /addons/self/info", ""},
		{"own data by slug", options{}, "GET /addons/0a1b2c3d_zigbee2mqtt_ha/info", ""},
		{"own use", options{WithoutHassioAPI: true}, "GET /addons/self/stats", ""},
		{"own restart", options{WithoutHassioAPI: true}, "POST /addons/self/restart", ""},
		{"the watchdog alone", options{}, "POST /addons/self/options", `{"watchdog":true}`},
		{"the machine", options{WithoutHassioAPI: true}, "GET /info", ""},
		{"the broker without hassio_api", options{WithoutHassioAPI: true, MQTT: &supervisortest.MQTT{}}, "GET /services/mqtt", ""},
		{"Home Assistant without hassio_api", options{WithoutHassioAPI: true}, "GET /core/api/config", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := supervisortest.Start(t, test.options)
			if status, text := ask(t, f, test.call, f.Token, test.body); status != 200 {
				t.Errorf("got %d %s", status, text)
			}
		})
	}
}

func TestTheSocketAnswersOnlyWhatAnAddOnMayAsk(t *testing.T) {
	f := supervisortest.Start(t, supervisortest.Options{})
	conn, _, err := websocket.Dial(t.Context(), f.URL+"/core/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	hear := func(want string) {
		t.Helper()
		if _, data, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(data), want) {
			t.Fatalf("heard %s, %v; not %s", data, err, want)
		}
	}
	say := func(what string) {
		t.Helper()
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(what)); err != nil {
			t.Fatal(err)
		}
	}
	hear(`"type":"auth_required"`)
	say(`{"type":"auth","access_token":"` + f.Token + `"}`)
	hear(`"type":"auth_ok"`)
	say(`{"id":1,"type":"supervisor/api"}`)
	hear(`"code":"unauthorized"`)
	say(`{"id":2,"type":"frontend/get_panels"}`)
	hear(`"code":"unknown_command"`)
	say(`{"id":3,"type":"config/auth/list"}`)
	hear(`{"id":3,"result":[],"success":true,"type":"result"}`)
}

func TestWaitSeesACallThatComesLater(t *testing.T) {
	f := supervisortest.Start(t, supervisortest.Options{MQTT: &supervisortest.MQTT{}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Get(f.URL + "/info")
		if err == nil {
			resp.Body.Close()
		}
	}()
	f.Wait("a call", func(f *supervisortest.Fake) bool { return f.Count("GET /info") == 1 })
	<-done
	f.SetMQTT(nil)
	if status, _ := ask(t, f, "GET /services/mqtt", f.Token, ""); status != 400 {
		t.Errorf("the broker is still there: %d", status)
	}
}
