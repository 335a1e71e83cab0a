// Package ingresstest is Home Assistant's ingress for tests: Core and Supervisor as one
// proxy, with the habits that pages have to live with.
//
// It serves everything below /api/hassio_ingress/TOKEN, names that path and the user in
// headers, and takes away what a browser sends under those names. It removes
// Accept-Encoding from requests, and from answers the length, the transfer coding and
// everything behind the type in Content-Type. It refuses addresses that look like an
// attack, and answers for a page that does not: "502: Bad Gateway".
//
// What it does not do: check a login, forward WebSockets, compress.
package ingresstest

import (
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Token is the name of the add-on's path when Proxy.Token is "".
const Token = "hpm1YrYzYXRvMkVPQUxWnVXnEUHQ3xoJ"

// A User is who is logged in. The zero User is a session without one.
type User struct{ ID, Name, DisplayName string }

// maxBody is what Supervisor takes of a form, maxWhole what it reads whole of an answer
// that tells its length.
const (
	maxBody  = 16 << 20
	maxWhole = 4_194_000
)

// A Proxy is ingress before one page. Set the fields before it is used; the methods may
// be called at any time.
type Proxy struct {
	Target string // "http://127.0.0.1:8099"
	Token  string
	// Transport reaches Target; nil takes one of the proxy's own.
	Transport http.RoundTripper

	once sync.Once
	own  *http.Transport

	mu      sync.Mutex // guards what follows
	user    User
	hold    bool // an answer without a length is held back until it ends
	expired bool // the session is not known any more
}

// SetUser says who is logged in from now on.
func (p *Proxy) SetUser(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user = u
}

// HoldStreams makes the proxy behave like a Core before 2026.2, which held streams back
// to compress them.
func (p *Proxy) HoldStreams(hold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = hold
}

// Expire ends the session: everything is answered 401 until Expire(false), as after a
// restart of Supervisor.
func (p *Proxy) Expire(expired bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired = expired
}

// Path is the path below which the page is served, as X-Ingress-Path has it: without a
// slash at its end.
func (p *Proxy) Path() string {
	if p.Token == "" {
		return "/api/hassio_ingress/" + Token
	}
	return "/api/hassio_ingress/" + p.Token
}

// Serve starts p on loopback and returns the address of the page behind it, with a slash
// at its end. It stops with the test.
func (p *Proxy) Serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.CloseClientConnections() // streams do not end by themselves
		server.Close()
		p.Close()
	})
	return server.URL + p.Path() + "/"
}

// Close gives up the connections to the page that are not in use.
func (p *Proxy) Close() { p.ownTransport().CloseIdleConnections() }

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	user, hold, expired := p.user, p.hold, p.expired
	p.mu.Unlock()
	path, ours := strings.CutPrefix(r.URL.EscapedPath(), p.Path()+"/")
	switch {
	case !ours:
		http.Error(w, "404: Not Found", http.StatusNotFound) // Home Assistant's own pages
		return
	case expired:
		http.Error(w, "401: Unauthorized", http.StatusUnauthorized)
		return
	case suspicious(r.URL):
		http.Error(w, "400: Bad Request", http.StatusBadRequest)
		return
	}
	out, err := p.request(r, path, user)
	if err != nil {
		http.Error(w, "400: Bad Request", http.StatusBadRequest)
		return
	}
	answer, err := p.transport().RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, "502: Bad Gateway") // the frontend looks for exactly this
		return
	}
	defer answer.Body.Close()
	pass(w, answer, hold)
}

func (p *Proxy) transport() http.RoundTripper {
	if p.Transport != nil {
		return p.Transport
	}
	return p.ownTransport()
}

func (p *Proxy) ownTransport() *http.Transport {
	p.once.Do(func() { p.own = &http.Transport{DisableCompression: true} })
	return p.own
}

// taken are headers that a browser cannot set for the page, or that concern one
// connection only.
var taken = []string{
	"X-Ingress-Path", "X-Hass-Source", "X-Remote-User-Id", "X-Remote-User-Name", "X-Remote-User-Display-Name",
	"Accept-Encoding", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length",
}

// request is r as the page gets it. The body is read whole before.
func (p *Proxy) request(r *http.Request, path string, user User) (*http.Request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	target := p.Target + "/" + path
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, target, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		out.Body, out.ContentLength = http.NoBody, 0
	}
	out.Header = r.Header.Clone()
	for _, name := range taken {
		out.Header.Del(name)
	}
	out.Host = r.Host // the browser's
	out.Header.Set("X-Forwarded-Host", r.Host)
	out.Header.Set("X-Forwarded-Proto", "http")
	out.Header.Set("X-Forwarded-For", r.RemoteAddr)
	out.Header.Set("X-Ingress-Path", p.Path())
	out.Header.Set("X-Hass-Source", "core.ingress")
	for name, value := range map[string]string{
		"X-Remote-User-Id": user.ID, "X-Remote-User-Name": user.Name, "X-Remote-User-Display-Name": user.DisplayName,
	} {
		if value != "" {
			out.Header.Set(name, value)
		}
	}
	return out, nil
}

// dropped are headers of an answer that do not come through.
var dropped = []string{"Content-Encoding", "Transfer-Encoding", "Content-Length", "Content-Type", "Connection"}

// pass hands an answer on: whole when its length is known and small, else as it comes,
// or at its end when streams are held back.
func pass(w http.ResponseWriter, answer *http.Response, hold bool) {
	h := w.Header()
	for name, values := range answer.Header {
		h[name] = values
	}
	for _, name := range dropped {
		h.Del(name)
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err == nil {
		h.Set("Content-Type", kind)
	}
	h.Set("Referrer-Policy", "no-referrer")
	if hold || answer.ContentLength >= 0 && answer.ContentLength < maxWhole {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(answer.StatusCode)
		w.Write(body)
		return
	}
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(answer.StatusCode)
	stream(w, answer.Body)
}

// stream hands on what comes when it comes.
func stream(w http.ResponseWriter, body io.Reader) {
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	chunk := make([]byte, 32<<10)
	for {
		n, err := body.Read(chunk)
		if n > 0 {
			if _, err := w.Write(chunk[:n]); err != nil || out.Flush() != nil {
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the browser sees a broken connection too
		}
	}
}

// unquoted removes percent signs as long as there are any, as Supervisor does.
func unquoted(s string) string {
	for {
		next, err := url.QueryUnescape(s)
		if err != nil || next == s {
			return s
		}
		s = next
	}
}
