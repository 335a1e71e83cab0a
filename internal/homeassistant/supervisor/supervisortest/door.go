package supervisortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// serve is the order in which the Supervisor looks at a call: attacks, its own state,
// the token, the handler.
func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	if !f.enter() {
		return
	}
	defer f.inside.Done()
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := &recorder{ResponseWriter: w, status: http.StatusOK}
	seen.note = sync.OnceFunc(func() {
		f.note(Call{Method: r.Method, Path: r.URL.Path, Body: string(body), Status: seen.status})
	})
	defer seen.note()
	switch handler, ready := f.look(r); {
	case handler != nil:
		handler(seen, r)
	case attack.MatchString(r.URL.Path) || attack.MatchString(r.URL.RawQuery):
		text(seen, http.StatusBadRequest)
	case !ready:
		refuse(seen, http.StatusBadRequest, "System is not ready with state: setup")
	case blocked.MatchString(r.URL.Path):
		text(seen, http.StatusForbidden)
	case unchecked.MatchString(r.URL.Path):
		f.core(seen, r)
	case token(r) == "":
		text(seen, http.StatusUnauthorized)
	case token(r) != f.Token || !f.permits(r.URL.Path):
		text(seen, http.StatusForbidden)
	default:
		f.supervisor(seen, r)
	}
}

// attack is what the Supervisor takes for one. Source: FILTERS.
var attack = regexp.MustCompile(`(?i)proc/self/environ|(<|%3C).*script.*(>|%3E)|(\.\.//?)+|[a-zA-Z0-9_]=/([a-z0-9_.]//?)+` +
	`|union.*select.*\(|union.*all.*select.*|concat.*\(`)

var (
	blocked   = regexp.MustCompile(`^/(homeassistant|core)/api/hassio(/|_)`)
	unchecked = regexp.MustCompile(`^/core/(api/.*|websocket)$`)
)

func token(r *http.Request) string {
	if t := r.Header.Get("X-Supervisor-Token"); t != "" {
		return t
	}
	words := strings.Split(r.Header.Get("Authorization"), " ")
	return words[len(words)-1]
}

// permits says whether the add-on may call path. Source: _V1_PATTERNS.
func (f *Fake) permits(path string) bool {
	if own.MatchString(path) && !ownBut.MatchString(path) {
		return true
	}
	return !f.options.WithoutHassioAPI && !coreOnly.MatchString(path) && roleMay(f.options.Role, path)
}

var (
	own      = regexp.MustCompile(`^(/addons/self/[^/]+|/addons/self/options/config|/info|/services.*|/discovery.*|/auth)$`)
	ownBut   = regexp.MustCompile(`^/addons/self/(security|update)`)
	coreOnly = regexp.MustCompile(`^/addons/[-_.A-Za-z0-9]+/sys_options$`)
	anyInfo  = regexp.MustCompile(`^/.+/info$`)

	roles = map[string]*regexp.Regexp{
		"default":       anyInfo,
		"homeassistant": regexp.MustCompile(`^/(core|homeassistant)/.+$`),
		"backup":        regexp.MustCompile(`^/backups.*$`),
		"manager": regexp.MustCompile(`^(/addons(/[-_.A-Za-z0-9]+/.+|/reload)?|/(backups|mounts|snapshots|store).*` +
			`|/auth/cache|/available_updates|/refresh_updates` +
			`|/(audio|cli|core|dns|docker|jobs|hardware|homeassistant|host|multicast|network|observer|os|resolution|security|supervisor)/.+)$`),
		"admin": regexp.MustCompile(``),
	}
	managerNot = regexp.MustCompile(`^/addons/[-_.A-Za-z0-9]+/security|^/os/datadisk/wipe`)
)

func roleMay(role, path string) bool {
	if anyInfo.MatchString(path) {
		return true
	}
	pattern := roles[role]
	return pattern != nil && pattern.MatchString(path) && !(role == "manager" && managerNot.MatchString(path))
}

// enter counts a call in, unless the fake is ending.
func (f *Fake) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return false
	}
	f.inside.Add(1)
	return true
}

// look takes one from the calls that find the Supervisor starting.
func (f *Fake) look(r *http.Request) (handler http.HandlerFunc, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.handlers[r.Method+" "+r.URL.Path]; h != nil {
		return h, true
	}
	if f.notReady > 0 {
		f.notReady--
		return nil, false
	}
	return nil, true
}

func (f *Fake) note(c Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	close(f.changed)
	f.changed = make(chan struct{})
}

// A recorder remembers the status. A call is noted when it has been carried out; one
// that becomes a WebSocket, when it does.
type recorder struct {
	http.ResponseWriter
	status int
	note   func()
}

// WriteHeader remembers the status and passes it on.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	if status == http.StatusSwitchingProtocols {
		r.note()
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController and WebSockets reach what is below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// text is how aiohttp answers on its own: "403: Forbidden".
func text(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d: %s", status, http.StatusText(status))
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // whoever asked may have left
}

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]any{"result": "error", "message": message})
}

func accept(w http.ResponseWriter, data any) {
	reply(w, http.StatusOK, map[string]any{"result": "ok", "data": data})
}
