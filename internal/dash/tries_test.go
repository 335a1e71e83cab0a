package dash_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dash"
)

// TestPasswordsAreNotTried: after a few wrong ones their sender waits, and nobody else.
func TestPasswordsAreNotTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := dash.New(dash.Config{Desk: newDesk(home()), Password: dash.NewPassword(secret)}).Handler()
		from := func(address, password string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = address
			r.SetBasicAuth("z2mha", password)
			w := httptest.NewRecorder()
			page.ServeHTTP(w, r)
			return w
		}
		expect := func(what string, w *httptest.ResponseRecorder, status int) {
			t.Helper()
			if w.Code != status {
				t.Errorf("%s: got %d, want %d: %.200s", what, w.Code, status, w.Body)
			}
		}
		const stranger, owner = "192.0.2.66:1", "192.0.2.7:1"
		for range 100 {
			expect("a browser that repeats itself", from(stranger, "once right"), 401)
		}
		for i := range 5 {
			expect("a wrong one", from(stranger, fmt.Sprint(i)), 401)
		}
		w := from(stranger, secret)
		expect("even the right one", w, 429)
		if w.Header().Get("Retry-After") != "2" || w.Header().Get("WWW-Authenticate") != "" || !strings.Contains(w.Body.String(), "Wait 1 s") {
			t.Errorf("it is not said how long: %v %s", w.Header(), w.Body)
		}
		expect("from elsewhere", from(owner, secret), 200)
		time.Sleep(2 * time.Second)
		expect("after the wait", from(stranger, secret), 200)
		tried := 0
		for range 3600 {
			if from(stranger, fmt.Sprint("another", tried)).Code == 401 {
				tried++
			}
			time.Sleep(time.Second)
		}
		if tried > 70 {
			t.Errorf("%d passwords could be tried in an hour", tried)
		}
		time.Sleep(2 * time.Hour)
		expect("long after", from(stranger, "forgotten"), 401)
		expect("long after", from(stranger, secret), 200)
	})
}

// TestNetworksOfTries: the addresses of one IPv6 network are one, and there is no end to
// the addresses that can be counted.
func TestNetworksOfTries(t *testing.T) {
	page := dash.New(dash.Config{Desk: newDesk(home()), Password: dash.NewPassword(secret)}).Handler()
	try := func(address string, n int) int {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = address
		r.SetBasicAuth("z2mha", fmt.Sprint(n))
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w.Code
	}
	last := 0
	for i := range 7 {
		last = try(fmt.Sprintf("[2001:db8::%x]:1", i+1), i)
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the seventh try from one network is answered with %d", last)
	}
	for i := range 2000 {
		if code := try(fmt.Sprintf("192.0.%d.%d:1", i/250, i%250), i); code != http.StatusUnauthorized {
			t.Fatalf("a first try is answered with %d", code)
		}
	}
}
