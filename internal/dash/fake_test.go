package dash_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/dash"
	"z2mha/internal/dash/ingresstest"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// noon is when everything was seen.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// home is a network that is as it should be.
func home() status.Network {
	good := func(text string) status.Light {
		return status.Light{State: status.LightGood, Text: text, Evidence: "looked", At: noon}
	}
	return status.Network{
		Name: "home", At: noon, Protection: status.Protected, Active: "attic", Recorded: "attic", Since: noon.Add(-time.Hour),
		Nodes: []status.Node{
			{Name: "attic", Role: network.RoleActive, Kind: "systemd", Address: "192.0.2.1", Seen: noon,
				Host: good("reachable"), Service: good("running"), Dongle: good("there"), Radio: good("on air")},
			{Name: "cellar", Role: network.RoleStandby, Kind: "openrc", Address: "192.0.2.2", Seen: noon, CanTake: true,
				Host: good("reachable"), Service: good("stopped"), Dongle: good("there"), Radio: good("silent (HOLD)")},
		},
		Ready: []string{"cellar"}, Generation: 12, LastSync: noon, Devices: 41,
	}
}

// A fakeDesk plans what it is told and remembers what it was asked.
type fakeDesk struct {
	mu       sync.Mutex // guards what follows
	networks []status.Network
	changed  chan struct{}
	from     string // active node of plans
	lost     bool   // nobody can ask the stick of from
	refuse   error  // of Preview
	asked    []desk.Request
}

func newDesk(networks ...status.Network) *fakeDesk {
	return &fakeDesk{networks: networks, changed: make(chan struct{}), from: "attic"}
}

func (d *fakeDesk) Networks() []status.Network {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.networks)
}

func (d *fakeDesk) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// show makes networks the ones that are seen.
func (d *fakeDesk) show(networks ...status.Network) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.networks = networks
	close(d.changed)
	d.changed = make(chan struct{})
}

// set changes d under its lock.
func (d *fakeDesk) set(change func(*fakeDesk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *fakeDesk) Preview(_ context.Context, r desk.Request) (desk.Preview, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := desk.Preview{Request: r, Interruption: desk.Interruption{Expected: 15 * time.Second, AtMost: 12 * time.Minute}}
	switch r.Verb {
	case desk.Switchover:
		p.Plan = plan.Switchover(r.Network, d.from, r.To, nil, plan.DefaultTiming())
	case desk.Sync:
		p.Plan, p.Interruption = plan.Sync(r.Network, d.from, 1, []plan.SyncStep{{Node: "cellar", Stage: true}}), desk.Interruption{None: true}
	case desk.Stop:
		p.Plan, p.Interruption = plan.StopNode(r.Network, r.To, true, plan.DefaultTiming()), desk.Interruption{Forever: true}
	case desk.Start:
		p.Plan = plan.StartNode(r.Network, d.from, nil, plan.DefaultTiming())
	case desk.Seed:
		p.Plan = plan.Seed(r.Network, d.from, []string{"cellar"}, plan.DefaultTiming())
	case desk.Failover:
		p.Plan = plan.Failover(r.Network, d.from, r.To, nil, 12, r.Confirmed, plan.DefaultTiming())
		p.NeedsWord = d.lost && r.Confirmed == ""
	case desk.Accept:
		p.Why, p.Interruption = []string{"2 devices are gone and none of them left"}, desk.Interruption{None: true}
	case desk.Repair:
		p.Plan = plan.Repair(r.Network, d.from, []string{"cellar"}, plan.DefaultTiming())
	case desk.Return:
		p.Plan = plan.Return(r.Network, r.To, d.from, nil, plan.DefaultTiming())
	case desk.Hold, desk.Release, desk.Acknowledge:
		p.Interruption = desk.Interruption{None: true}
	}
	for _, s := range p.Plan.Steps {
		p.Steps = append(p.Steps, engine.Explained{Step: s, Commands: []string{s.Node + ": true # " + s.ID}})
	}
	return p, d.refuse
}

func (d *fakeDesk) Ask(_ context.Context, r desk.Request) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r)
	return "run-1", nil
}

func (d *fakeDesk) requests() []desk.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

func (d *fakeDesk) Look(string)                      {}
func (d *fakeDesk) Listen(func(status.Event)) func() { return func() {} }

// admins are the ids of administrators.
type admins []string

func (a admins) IsAdmin(_ context.Context, id string) (bool, error) {
	return slices.Contains(a, id), nil
}

// A house is the page with a browser before it.
type house struct {
	t     *testing.T
	desk  *fakeDesk
	proxy *ingresstest.Proxy
	base  string
	log   *logged
}

// owner administrates.
var owner = ingresstest.User{ID: "a1", Name: "owner", DisplayName: "Owner"}

// behindIngress serves cfg as an add-on, with Owner at the browser.
func behindIngress(t *testing.T, cfg dash.Config) *house {
	t.Helper()
	h := direct(t, cfg, dash.Addon)
	h.proxy = &ingresstest.Proxy{Target: strings.TrimSuffix(h.base, "/")}
	h.proxy.SetUser(owner)
	h.base = h.proxy.Serve(t)
	return h
}

// direct serves cfg without a proxy.
func direct(t *testing.T, cfg dash.Config, mode dash.Mode) *house {
	t.Helper()
	h := &house{t: t, log: &logged{}}
	if cfg.Desk == nil {
		cfg.Desk = newDesk(home())
	}
	h.desk, _ = cfg.Desk.(*fakeDesk)
	cfg.Mode = mode
	if cfg.Admins == nil {
		cfg.Admins = admins{"a1"}
	}
	if !cfg.Ingress.IsValid() {
		cfg.Ingress = netip.MustParseAddr("127.0.0.1")
	}
	cfg.Now = func() time.Time { return noon }
	cfg.Log = slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := httptest.NewServer(dash.New(cfg).Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	h.base = server.URL + "/"
	return h
}

// An answer is what came back.
type answer struct {
	*http.Response
	body string
}

func (h *house) do(r *http.Request) answer {
	h.t.Helper()
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{a, string(body)}
}

func (h *house) request(method, path, body string) *http.Request {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) get(path string) answer {
	h.t.Helper()
	return h.do(h.request(http.MethodGet, path, ""))
}

// form is a POST as HTMX sends it.
func (h *house) form(path string, fields ...string) *http.Request {
	h.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	r := h.request(http.MethodPost, path, values.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("HX-Request", "true")
	return r
}

func (h *house) post(path string, fields ...string) answer {
	h.t.Helper()
	return h.do(h.form(path, fields...))
}

// expect checks the status and that the body has all of parts.
func (a answer) expect(t *testing.T, status int, parts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("got %s, want %d; body:\n%.400s", a.Status, status, a.body)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("the answer lacks %q:\n%.2000s", part, a.body)
		}
	}
}

// logged keeps what was logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
