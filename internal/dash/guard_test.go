package dash_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"z2mha/internal/dash"
	"z2mha/internal/dash/ingresstest"
	"z2mha/web"
)

func TestIngressOnly(t *testing.T) {
	h := direct(t, dash.Config{Ingress: netip.MustParseAddr("172.30.32.2")}, dash.Addon)
	for _, path := range []string{"", "overview", "events", "setup", "unknown", "assets/app.css"} {
		r := h.request(http.MethodGet, path, "")
		r.Header.Set("X-Forwarded-For", "172.30.32.2")
		r.Header.Set("X-Real-Ip", "172.30.32.2")
		r.Header.Set("X-Remote-User-Id", "a1")
		h.do(r).expect(t, http.StatusForbidden, "only through Home Assistant", "127.0.0.1")
	}
	h.post("ask", "network", "home", "verb", "hold").expect(t, http.StatusForbidden)
	h.get("healthz").expect(t, http.StatusOK, "ok")
	if n := len(h.desk.requests()); n != 0 {
		t.Errorf("%d requests reached the desk", n)
	}
}

func TestHealthIsNotForStrangers(t *testing.T) {
	h := direct(t, dash.Config{}, dash.Addon)
	r := h.request(http.MethodGet, "healthz", "")
	from := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}
	defer from.CloseIdleConnections()
	a, err := from.RoundTrip(r)
	if err != nil {
		t.Skipf("this machine has no second loopback address: %v", err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusOK { // it is loopback
		t.Errorf("got %s from 127.0.0.2", a.Status)
	}
	r = h.request(http.MethodGet, "", "")
	a, err = from.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusForbidden {
		t.Errorf("got %s for the page from 127.0.0.2", a.Status)
	}
}

type noCore struct{}

func (noCore) IsAdmin(context.Context, string) (bool, error) { return false, errors.New("502") }

func TestWhoMayAct(t *testing.T) {
	for _, tt := range []struct {
		name   string
		user   ingresstest.User
		admins dash.Admins
		status int
		says   string
	}{
		{"lets an administrator act", owner, admins{"a1"}, 200, "<dialog"},
		{"lets others only look", ingresstest.User{ID: "b2", DisplayName: "Guest"}, admins{"a1"}, 403, "only administrators of Home Assistant"},
		{"lets nobody act while it cannot be told", owner, noCore{}, 403, "does not say at the moment"},
		{"lets a session without user only look", ingresstest.User{}, admins{"a1", ""}, 403, "does not say at the moment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := behindIngress(t, dash.Config{Admins: tt.admins})
			h.proxy.SetUser(tt.user)
			h.post("preview", "network", "home", "verb", "hold").expect(t, tt.status, tt.says)
			page := h.get("")
			page.expect(t, 200, tt.user.DisplayName)
			if buttons := strings.Contains(page.body, `hx-post="preview"`); buttons != (tt.status == 200 && web.HasHTMX()) {
				t.Errorf("buttons drawn: %t", buttons)
			}
			if tt.status != 200 {
				page.expect(t, 200, tt.says)
			}
		})
	}
}

func TestUserNames(t *testing.T) {
	for _, tt := range []struct {
		name string
		user ingresstest.User
		want string
	}{
		{"shows the display name", ingresstest.User{ID: "1", Name: "zoe", DisplayName: "Zoë"}, "<b>Zoë</b>"},
		{"falls back to the name", ingresstest.User{ID: "1", Name: "zoe"}, "<b>zoe</b>"},
		{"says that there is none", ingresstest.User{}, "<b>a user without a name</b>"},
		{"escapes it", ingresstest.User{ID: "1", DisplayName: `<img src=x onerror="alert(1)">`}, "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;"},
		{"cuts it", ingresstest.User{ID: "1", DisplayName: strings.Repeat("a", 200)}, "<b>" + strings.Repeat("a", 60) + "…</b>"},
		{"repairs it", ingresstest.User{ID: "1", DisplayName: "Zo\xeb"}, "<b>Zo\uFFFD</b>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := behindIngress(t, dash.Config{})
			h.proxy.SetUser(tt.user)
			h.get("").expect(t, 200, tt.want)
		})
	}
}

func TestOwnNamesOnly(t *testing.T) {
	for _, tt := range []struct {
		name, host, configured string
		status                 int
	}{
		{"answers to localhost", "localhost:8099", "", 200},
		{"answers to LOCALHOST.", "LOCALHOST.:8099", "", 200},
		{"answers to 127.0.0.1", "127.0.0.1", "", 200},
		{"answers to ::1", "[::1]:8099", "", 200},
		{"answers to the configured name", "pi.example:8099", "pi.example:8099", 200},
		{"does not answer to a foreign name", "evil.example:8099", "", 403},
		{"does not answer to a name that looks like ours", "localhost.evil.example", "", 403},
		{"does not answer to another address", "192.0.2.7:8099", "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := direct(t, dash.Config{Address: tt.configured}, dash.Standalone)
			r := h.request(http.MethodGet, "", "")
			r.Host = tt.host
			h.do(r).expect(t, tt.status)
		})
	}
}

const secret = "correct horse <&> battery"

func TestPassword(t *testing.T) {
	h := direct(t, dash.Config{Password: dash.NewPassword(secret)}, dash.Standalone)
	for _, tt := range []struct {
		name, user, password string
		status               int
	}{
		{"asks for it", "", "", 401},
		{"lets in", "z2mha", secret, 200},
		{"knows one user", "root", secret, 401},
		{"refuses another one", "z2mha", secret + " ", 401},
		{"refuses an empty one", "z2mha", "", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := h.request(http.MethodGet, "", "")
			r.Host = "page.example" // any name will do behind a password
			if tt.user != "" {
				r.SetBasicAuth(tt.user, tt.password)
			}
			a := h.do(r)
			a.expect(t, tt.status)
			if asks := a.Header.Get("WWW-Authenticate") != ""; asks != (tt.status == 401) {
				t.Errorf("asks for a password: %t", asks)
			}
		})
	}
	h.get("healthz").expect(t, 200, "ok")
	r := h.form("preview", "verb", "hold")
	r.SetBasicAuth("z2mha", secret)
	h.do(r).expect(t, 200, "<dialog")
	if strings.Contains(h.log.String(), "horse") {
		t.Errorf("the password is in the log:\n%s", h.log)
	}
}

// TestAddonHeadersMeanNothingStandalone: nobody has taken a browser's copies away.
func TestAddonHeadersMeanNothingStandalone(t *testing.T) {
	h := direct(t, dash.Config{}, dash.Standalone)
	r := h.request(http.MethodGet, "", "")
	r.Header.Set("X-Ingress-Path", "/api/hassio_ingress/evil")
	r.Header.Set("X-Remote-User-Display-Name", "Stranger")
	a := h.do(r)
	a.expect(t, 200, `<base href="./">`)
	if strings.Contains(a.body, "Stranger") || strings.Contains(a.body, "hassio_ingress") {
		t.Errorf("headers of a stranger are shown:\n%s", a.body)
	}
}
