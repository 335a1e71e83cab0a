package fence_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"z2mha/internal/fence"
)

// A relay has a web interface with a secret in it.
type relay struct {
	on     bool
	lies   bool // it says yes and does nothing
	slow   time.Duration
	status int // of the switching
	page   string
	seen   []string
}

func (r *relay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.seen = append(r.seen, q.Method+" "+q.URL.Path+" "+string(body)+" "+q.Header.Get("Authorization"))
	time.Sleep(r.slow)
	if q.URL.Query().Get("key") != secret {
		http.Error(w, "who are you?", http.StatusForbidden)
		return
	}
	switch {
	case q.URL.Path == "/elsewhere":
		http.Redirect(w, q, "/off", http.StatusFound)
	case q.URL.Path == "/off" && r.status != 0:
		w.WriteHeader(r.status)
	case q.URL.Path == "/off":
		r.on = r.on && r.lies
	case r.page != "":
		fmt.Fprint(w, r.page)
	default:
		fmt.Fprintf(w, `{"switch":[{"output":%t,"power":0.4}]}`, r.on)
	}
}

func TestHTTP(t *testing.T) {
	for _, tt := range []struct {
		name   string
		relay  relay
		change func(h *fence.HTTP)
		want   string
	}{
		{name: "cuts"},
		{name: "does not believe one that lies", relay: relay{lies: true}, want: "switch.0.output is true"},
		{name: "does not wait for one that is slow", relay: relay{slow: 2 * time.Second}, want: "does not answer"},
		{name: "does not believe one that refuses", relay: relay{status: 500}, want: "answers with status 500"},
		{name: "does not believe one that cannot be reached", change: func(h *fence.HTTP) { h.URL = "http://127.0.0.1:1/?key=" + secret }, want: "127.0.0.1:1 does not answer"},
		{name: "does not believe one whose confirmation cannot be reached", change: func(h *fence.HTTP) { h.ConfirmURL = "http://127.0.0.1:1/?key=" + secret }, want: "does not answer"},
		{name: "follows nobody elsewhere", change: func(h *fence.HTTP) { h.URL = strings.Replace(h.URL, "/off", "/elsewhere", 1) }, want: "status 302"},
		{name: "wants the right key", change: func(h *fence.HTTP) { h.URL = strings.Replace(h.URL, secret, "x", 1) }, want: "status 403"},
		{name: "wants the value to be there", change: func(h *fence.HTTP) { h.Expect.Key = "switch.1.output" }, want: "the answer has no switch.1.output"},
		{name: "takes no group for a value", change: func(h *fence.HTTP) { h.Expect.Key = "switch.0" }, want: "no single value"},
		{name: "compares numbers as they are written", change: func(h *fence.HTTP) { h.Expect = fence.Expectation{Key: "switch.0.power", Text: "0.4"} }},
		{name: "takes a page for what it is", relay: relay{page: " Off\n"}, change: func(h *fence.HTTP) { h.Expect = fence.Expectation{Text: "off"} }},
		{name: "shows no more of a page than a few words", relay: relay{page: strings.Repeat("x", 1000)},
			change: func(h *fence.HTTP) { h.Expect = fence.Expectation{Text: "off"} }, want: strings.Repeat("x", 60) + "…"},
		{name: "takes no page for JSON", relay: relay{page: "<html>"}, want: "no JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.relay.on = true
			server := httptest.NewServer(&tt.relay)
			defer server.Close()
			h := &fence.HTTP{Method: "POST", URL: server.URL + "/off?key=" + secret, Body: "now", Authorization: "Bearer " + secret,
				ConfirmURL: server.URL + "/state?key=" + secret, Expect: fence.Expectation{Key: "switch.0.output", Text: "false"}}
			if tt.change != nil {
				tt.change(h)
			}
			proves(t, h, tt.want)
			if tt.want == "" && !strings.HasPrefix(tt.relay.seen[0], "POST /off now Bearer "+secret) {
				t.Errorf("it got %q", tt.relay.seen)
			}
		})
	}
}

func TestHTTPCheckSwitchesNothing(t *testing.T) {
	r := &relay{on: true}
	server := httptest.NewServer(r)
	defer server.Close()
	h := &fence.HTTP{Method: "POST", URL: server.URL + "/off?key=" + secret, ConfirmURL: server.URL + "/state?key=" + secret,
		Expect: fence.Expectation{Key: "switch.0.output", Text: "false"}}
	if err := fence.New(h, quick).Check(t.Context()); err != nil || !r.on || len(r.seen) != 1 {
		t.Errorf("%v, on %t, calls %q", err, r.on, r.seen)
	}
	server.Close()
	if err := fence.New(h, quick).Check(t.Context()); err == nil {
		t.Error("a relay that is gone was found good")
	}
}
