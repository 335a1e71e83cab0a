package dash_test

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dash"
	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

func TestOverviewPage(t *testing.T) {
	h := behindIngress(t, dash.Config{Version: "9.8.7", Notices: func() []dash.Notice {
		return []dash.Notice{{State: web.LightWarn, What: "The broker cannot be reached."}}
	}})
	a := h.get("")
	a.expect(t, 200, `<base href="`+h.proxy.Path()+`/">`, `<meta charset="utf-8">`, `id="overview"`, status.Protected.Sentence(),
		"attic", "cellar", "9.8.7", "Owner", "The broker cannot be reached.")
	if kind := a.Header.Get("Content-Type"); kind != "text/html" { // ingress took the charset
		t.Errorf("Content-Type is %q", kind)
	}
}

func TestBase(t *testing.T) {
	h := direct(t, dash.Config{}, dash.Addon)
	for _, tt := range []struct{ name, header, path, want string }{
		{"is the path of ingress", "/api/hassio_ingress/a_B-9", "", "/api/hassio_ingress/a_B-9/"},
		{"is the path of ingress on a deep page too", "/api/hassio_ingress/a_B-9", "x/y/z", "/api/hassio_ingress/a_B-9/"},
		{"is here without one", "", "", "./"},
		{"leads up without one", "", "x/y/z", "../../"},
		{"does not lead elsewhere", "//evil.example", "", "./"},
		{"is no other path of Home Assistant", "/api/hassio_ingress/a/../../x", "", "./"},
		{"is no script", `/api/hassio_ingress/"><script>`, "", "./"},
		{"ends where it should", "/api/hassio_ingress/a/", "", "./"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := h.request(http.MethodGet, tt.path, "")
			r.Header.Set("X-Ingress-Path", tt.header)
			a := h.do(r)
			a.expect(t, a.StatusCode, `<base href="`+tt.want+`">`)
		})
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	h := direct(t, dash.Config{}, dash.Standalone)
	stranger := h.request(http.MethodGet, "", "")
	stranger.Host = "evil.example"
	for name, r := range map[string]*http.Request{
		"page": h.request("GET", "", ""), "part": h.request("GET", "overview", ""), "health": h.request("GET", "healthz", ""),
		"unknown": h.request("GET", "nothing", ""), "method": h.request("DELETE", "", ""), "refused": h.form("ask", "verb", "x"),
		"stranger": stranger, "asset": h.request("GET", web.Assets.Path("app.css"), ""), "stream": h.request("HEAD", "events", ""),
	} {
		a := h.do(r)
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; " +
				"form-action 'self'; base-uri 'self'; frame-ancestors 'self'",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Server":                       "", "X-Frame-Options": "", "Content-Encoding": "",
		} {
			if got := a.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if cached := strings.Contains(a.Header.Get("Cache-Control"), "immutable"); cached != (name == "asset") {
			t.Errorf("%s: Cache-Control is %q", name, a.Header.Get("Cache-Control"))
		}
	}
}

func TestHead(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	for _, path := range []string{"", "overview", "healthz", "events", web.Assets.Path("app.css")} {
		if a := h.do(h.request(http.MethodHead, path, "")); a.StatusCode != 200 || a.body != "" {
			t.Errorf("HEAD %s: %s with %d bytes", path, a.Status, len(a.body))
		}
	}
}

func TestAssets(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	for name, path := range web.Assets.Names() {
		a := h.get(path)
		want, _ := web.Assets.Open(path)
		if a.StatusCode != 200 || a.body != string(want.Content) || !strings.HasPrefix(want.Type, a.Header.Get("Content-Type")) {
			t.Errorf("%s: %s, %s, %d bytes", name, a.Status, a.Header.Get("Content-Type"), len(a.body))
		}
		h.get("assets/"+name).expect(t, 404, "There is no such page")
	}
	for _, path := range []string{"assets/app.00000000.css", "assets/", "assets"} {
		h.get(path).expect(t, 404, "There is no such page", `href="./"`)
	}
}

func TestMethods(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"PUT", "", 405}, {"DELETE", "overview", 405}, {"PATCH", "ask", 405}, {"OPTIONS", "ask", 405}, {"TRACE", "", 405}, {"PROPFIND", "", 405},
		{"GET", "ask", 405}, {"GET", "preview", 405}, {"POST", "", 405}, {"POST", "overview", 405}, {"POST", "healthz", 405}, {"POST", "events", 405},
		{"GET", "setup/look", 405}, {"PUT", "nothing", 405}, {"POST", "nothing", 404}, {"GET", "nothing", 404}, {"GET", "overview/", 404},
	} {
		a := h.do(h.request(tt.method, tt.path, ""))
		if a.StatusCode != tt.status {
			t.Errorf("%s %q: %s, want %d", tt.method, tt.path, a.Status, tt.status)
		}
		if tt.status == 405 && a.Header.Get("Allow") == "" {
			t.Errorf("%s %q: no Allow", tt.method, tt.path)
		}
	}
	if n := len(h.desk.requests()); n != 0 {
		t.Errorf("%d requests reached the desk", n)
	}
}

func TestPolling(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	first := h.get("overview")
	first.expect(t, 200, `<main id="overview"`)
	again := h.request(http.MethodGet, "overview", "")
	again.Header.Set("If-None-Match", first.Header.Get("ETag"))
	h.do(again.Clone(t.Context())).expect(t, http.StatusNotModified)

	n := home()
	n.Protection = status.Degraded
	h.desk.show(n)
	h.do(again).expect(t, 200, status.Degraded.Sentence())
}

// hostile is what a device or a node may be called.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, "</title></style><svg onload=alert(1)>",
	"line\nevent: overview\ndata: <b>\r\n\r\n", `{{constructor}}`, "javascript:alert(1)", strings.Repeat("<b>", 70),
}

// TestHostileNames: nothing that comes from outside becomes an element or an attribute.
func TestHostileNames(t *testing.T) {
	wanted := elementsOf(behindIngress(t, dash.Config{Desk: newDesk(filled("x"))}).get("").body)
	for _, name := range hostile {
		h := behindIngress(t, dash.Config{Desk: newDesk(filled(name)), Notices: func() []dash.Notice {
			return []dash.Notice{}
		}})
		if got := elementsOf(h.get("").body); got != wanted {
			t.Errorf("%q changes the page:\n%s\nwant\n%s", name, got, wanted)
		}
	}
	refusal := elementsOf(behindIngress(t, dash.Config{}).post("ask", "verb", "hold", "network", "x").body)
	plain := elementsOf(behindIngress(t, dash.Config{Desk: newDesk(filled("x"))}).post("preview", "verb", "stop", "to", "x").body)
	for _, name := range hostile {
		h := behindIngress(t, dash.Config{Desk: newDesk(filled(name))})
		a := h.post("preview", "network", name, "verb", "stop", "to", name)
		if got := elementsOf(a.body); a.StatusCode != 200 || got != plain {
			t.Errorf("%q changes the preview: %s\n%s\nwant\n%s", name, a.Status, got, plain)
		}
		for _, a := range []answer{
			h.post("ask", "verb", name), h.post("ask", "verb", "hold", "network", name+"x"), h.post("ask", "network", name, "verb", "stop", "to", name+"x"),
		} {
			if got := elementsOf(a.body); got != refusal {
				t.Errorf("%q changes the answer:\n%s\nwant\n%s", name, got, refusal)
			}
		}
	}
}

// tags are elements with the names of their attributes, not with their values.
var (
	tags   = regexp.MustCompile(`<[a-zA-Z/!][^<>]*>`)
	values = regexp.MustCompile(`="[^"]*"`)
)

func elementsOf(html string) string {
	var b strings.Builder
	for _, tag := range tags.FindAllString(html, -1) {
		b.WriteString(values.ReplaceAllString(tag, "=") + "\n")
	}
	return b.String()
}

// filled says name wherever a text comes from outside.
func filled(name string) status.Network {
	n := home()
	n.Name, n.Active, n.Recorded, n.Protection = name, name, name, status.Degraded
	n.LookErr, n.Unproven = errors.New(name), name
	n.Reasons = []status.Reason{{Node: name, What: name, Fix: name}}
	n.Checks = []readiness.Check{{ID: "x", Node: name, What: name, Evidence: name, Fix: name}}
	n.Checks = append(n.Checks, readiness.Check{ID: "y", Node: name, What: name, OK: true, Evidence: name})
	n.Coverage = []coverage.Line{{Failure: coverage.Process, Survives: coverage.ByHand, Why: name, Fix: name}}
	n.Hold = status.Hold{On: true, By: name, Since: noon}
	n.Events = []status.Event{{At: noon, Type: status.EventRefused, Text: name, By: name, Fix: name}}
	n.Last = &status.Move{From: name, To: name, At: noon, Outcome: plan.Completed}
	light := status.Light{State: status.LightWarn, Text: name, Evidence: name, At: noon}
	for i := range n.Nodes {
		x := &n.Nodes[i]
		x.Name, x.Kind, x.Address, x.Version, x.Firmware, x.Why, x.CanTake = name, name, name, name, name, name, false
		x.Stick.Trouble = name
		x.Host, x.Service, x.Dongle, x.Radio, x.OutOfSync = light, light, light, light, true
	}
	p := plan.Switchover(name, name, name, nil, plan.DefaultTiming())
	n.Run = &status.Run{ID: name, Plan: p, By: name, Began: noon, Turning: name, What: name, Done: 1, Total: 2,
		Steps: []status.RunStep{{Step: p.Steps[0], State: status.StepFailed, Saw: []string{name}, Note: name, Began: noon, Took: time.Second}}}
	return n
}

func TestNoNetworkYet(t *testing.T) {
	h := behindIngress(t, dash.Config{Desk: newDesk()})
	h.get("").expect(t, 200, `href="setup"`)
	h.get("setup").expect(t, 404, "Write the hosts into z2mha.yaml")
	h.post("setup/look").expect(t, 404, "z2mha.yaml")
	h.post("preview", "verb", "sync").expect(t, 404, "which network")
}
