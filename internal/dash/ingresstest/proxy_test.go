package ingresstest_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dash/ingresstest"
)

// page is a page behind the proxy.
func page(t *testing.T, handler http.HandlerFunc) (*ingresstest.Proxy, string) {
	t.Helper()
	target := httptest.NewServer(handler)
	t.Cleanup(target.Close)
	p := &ingresstest.Proxy{Target: target.URL}
	return p, p.Serve(t)
}

func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func request(t *testing.T, method, address, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHeadersOfARequest(t *testing.T) {
	got := make(chan http.Header, 1)
	p, base := page(t, func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Set("Path", r.URL.String())
		got <- r.Header
	})
	p.SetUser(ingresstest.User{ID: "42", DisplayName: "Zoë"})
	r := request(t, http.MethodGet, base+"events?a=b", "")
	r.Header.Set("X-Remote-User-Id", "1")
	r.Header.Set("X-Remote-User-Name", "root")
	r.Header.Set("X-Ingress-Path", "/elsewhere")
	r.Header.Set("Accept-Encoding", "gzip")
	do(t, r)

	h := <-got
	want := map[string]string{
		"Path": "/events?a=b", "X-Ingress-Path": p.Path(), "X-Hass-Source": "core.ingress",
		"X-Remote-User-Id": "42", "X-Remote-User-Name": "", "X-Remote-User-Display-Name": "Zoë", "Accept-Encoding": "",
	}
	for name, value := range want {
		if h.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, h.Get(name), value)
		}
	}
}

func TestAnswersLoseTheirCharset(t *testing.T) {
	_, base := page(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "ü")
	})
	answer, body := do(t, request(t, http.MethodGet, base, ""))
	if diff := cmp.Diff([]string{"202", "text/html", "ü"}, []string{answer.Status[:3], answer.Header.Get("Content-Type"), body}); diff != "" {
		t.Error(diff)
	}
}

func TestFormsComeThrough(t *testing.T) {
	_, base := page(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Method+" "+r.PostFormValue("network"))
	})
	r := request(t, http.MethodPost, base+"ask", "network=home")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, body := do(t, r); body != "POST home" {
		t.Errorf("the page got %q", body)
	}
}

func TestRefusals(t *testing.T) {
	p, base := page(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "reached") })
	root := strings.TrimSuffix(base, p.Path()+"/")
	for _, tt := range []struct {
		name, address string
		status        int
	}{
		{"passes the page", base, 200},
		{"passes free text that is harmless", base + "?node=attic%20%3Cb%3E", 200},
		{"knows no other path", root + "/assets/app.css", 404},
		{"refuses a script", base + "?x=%3Cscript%3E", 400},
		{"refuses a script in disguise", base + "?x=%253Cscript%253E", 400},
		{"refuses a way up", base + "a/..%2fb", 400},
		{"refuses a path as value", base + "?x=/a/b/", 400},
		{"refuses a query of a database", base + "?x=union+select+(1)", 400},
		{"refuses a look at the process", base + "proc/self/environ", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if answer, _ := do(t, request(t, http.MethodGet, tt.address, "")); answer.StatusCode != tt.status {
				t.Errorf("got %s", answer.Status)
			}
		})
	}
}

func TestSessionThatEnded(t *testing.T) {
	p, base := page(t, func(http.ResponseWriter, *http.Request) {})
	p.Expire(true)
	if answer, _ := do(t, request(t, http.MethodGet, base, "")); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s", answer.Status)
	}
	p.Expire(false)
	if answer, _ := do(t, request(t, http.MethodGet, base, "")); answer.StatusCode != http.StatusOK {
		t.Errorf("got %s afterwards", answer.Status)
	}
}

func TestPageThatIsGone(t *testing.T) {
	target := httptest.NewServer(http.NotFoundHandler())
	target.Close()
	base := (&ingresstest.Proxy{Target: target.URL}).Serve(t)
	if answer, body := do(t, request(t, http.MethodGet, base, "")); answer.StatusCode != http.StatusBadGateway || body != "502: Bad Gateway" {
		t.Errorf("got %s %q", answer.Status, body)
	}
}

func TestStreams(t *testing.T) {
	more := make(chan bool)
	p, base := page(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for ok := true; ok; ok = <-more {
			io.WriteString(w, "line\n")
			w.(http.Flusher).Flush()
		}
	})
	read := func(t *testing.T) *bufio.Reader {
		t.Helper()
		answer, err := http.DefaultTransport.RoundTrip(request(t, http.MethodGet, base+"events", ""))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return bufio.NewReader(answer.Body)
	}
	t.Run("hands on each piece", func(t *testing.T) {
		body := read(t)
		for range 2 {
			if line, err := body.ReadString('\n'); line != "line\n" {
				t.Fatalf("got %q, %v", line, err)
			}
			more <- true
		}
		more <- false
	})
	t.Run("holds all back like an old Core", func(t *testing.T) {
		p.HoldStreams(true)
		go func() { more <- true; more <- false }()
		if all, err := io.ReadAll(read(t)); string(all) != "line\nline\n" {
			t.Fatalf("got %q, %v", all, err)
		}
	})
}
