package supervisortest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// core answers for Home Assistant. The Supervisor's role plays no part here.
func (f *Fake) core(w http.ResponseWriter, r *http.Request) {
	socket := r.URL.Path == "/core/websocket"
	if !socket && (f.options.WithoutCoreAPI || token(r) != f.Token) {
		text(w, http.StatusUnauthorized)
		return
	}
	if !f.coreRuns() {
		text(w, http.StatusBadGateway)
		return
	}
	const notifications = "/core/api/services/persistent_notification/"
	switch call := r.Method + " " + r.URL.Path; {
	case socket && r.Method == http.MethodGet:
		f.socket(w, r)
	case call == "GET /core/api/config":
		reply(w, http.StatusOK, map[string]any{
			"version": "2026.9.2", "location_name": "Home", "time_zone": "Europe/Berlin", "language": "de",
			"components": []string{"mqtt", "persistent_notification"}, "state": "RUNNING",
		})
	case call == "POST "+notifications+"create":
		f.show(w, r)
	case call == "POST "+notifications+"dismiss":
		f.hide(w, r)
	default:
		text(w, http.StatusNotFound)
	}
}

func (f *Fake) coreRuns() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.coreDown
}

// A wish is the body of both services.
type wish struct {
	ID      string `json:"notification_id"`
	Title   string `json:"title"`
	Message string `json:"message"`
}

// read answers 400 to a body that the service's schema does not allow.
func (o *wish) read(w http.ResponseWriter, r *http.Request, complete func() bool) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if d.Decode(o) != nil || !complete() {
		text(w, http.StatusBadRequest)
		return false
	}
	reply(w, http.StatusOK, []any{})
	return true
}

func (f *Fake) show(w http.ResponseWriter, r *http.Request) {
	var o wish
	if !o.read(w, r, func() bool { return o.Message != "" }) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown[o.ID] = Notification{Title: o.Title, Message: o.Message}
}

func (f *Fake) hide(w http.ResponseWriter, r *http.Request) {
	var o wish
	if !o.read(w, r, func() bool { return o.ID != "" && o.Title == "" && o.Message == "" }) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.shown, o.ID)
}

// socket lets in whoever shows the token within 10 s and answers commands.
func (f *Fake) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if !f.admits(conn) {
		return
	}
	for {
		var command struct {
			ID   int    `json:"id"`
			Type string `json:"type"`
		}
		if wsjson.Read(f.ctx, conn, &command) != nil || wsjson.Write(f.ctx, conn, f.answer(command.ID, command.Type)) != nil {
			return
		}
	}
}

func (f *Fake) admits(conn *websocket.Conn) bool {
	ctx, cancel := context.WithTimeout(f.ctx, 10*time.Second)
	defer cancel()
	var auth struct {
		Token string `json:"access_token"`
	}
	const version = "2026.9.2"
	if wsjson.Write(ctx, conn, map[string]string{"type": "auth_required", "ha_version": version}) != nil || wsjson.Read(ctx, conn, &auth) != nil {
		return false
	}
	if auth.Token != f.Token || f.options.WithoutCoreAPI {
		_ = wsjson.Write(ctx, conn, map[string]string{"type": "auth_invalid", "message": "Invalid access"})
		return false
	}
	return wsjson.Write(ctx, conn, map[string]string{"type": "auth_ok", "ha_version": version}) == nil
}

func (f *Fake) answer(id int, command string) map[string]any {
	fail := func(code, message string) map[string]any {
		return map[string]any{"id": id, "type": "result", "success": false, "error": map[string]string{"code": code, "message": message}}
	}
	switch {
	case strings.HasPrefix(command, "supervisor/") || strings.HasPrefix(command, "hassio/"):
		return fail("unauthorized", "Unauthorized")
	case command != "config/auth/list":
		return fail("unknown_command", "Unknown command.")
	}
	return map[string]any{"id": id, "type": "result", "success": true, "result": f.accounts()}
}

func (f *Fake) accounts() []map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []map[string]any{}
	for _, u := range f.users {
		list = append(list, map[string]any{
			"id": u.ID, "username": nil, "name": u.Name, "is_owner": u.Owner, "is_active": !u.Inactive,
			"local_only": false, "system_generated": false, "group_ids": u.Groups, "credentials": []any{map[string]string{"type": "homeassistant"}},
		})
	}
	return list
}
