package dash

import (
	"context"
	"errors"
	"net/http"
	"time"

	"z2mha/web"
)

// adminTime is how long somebody who looks waits for the answer who may act.
const adminTime = 5 * time.Second

// A visitor is who looks at the page.
type visitor struct {
	name   string // as it is shown; "" standalone
	canAct bool
	notice *Notice // why not; nil when canAct
}

// by is who asks, as it is told and journaled.
func (v visitor) by() string {
	if v.name == "" {
		return "somebody on the page"
	}
	return v.name + " on the page"
}

// visitorOf trusts the headers: the guard has seen that Supervisor wrote them, and it
// takes away what a browser sends under these names.
func (s *Server) visitorOf(r *http.Request) visitor {
	if s.cfg.Mode == Standalone {
		return visitor{canAct: true}
	}
	v := visitor{name: s.userName(r)}
	admin, err := s.isAdmin(r)
	switch {
	case err != nil:
		s.log.Debug("not known who may act", "user", v.name, "err", err)
		v.notice = &noticeAdminsUnknown
	case !admin:
		v.notice = &web.NoticeReadOnly
	default:
		v.canAct = true
	}
	return v
}

var noticeAdminsUnknown = Notice{
	State: web.LightWarn,
	What:  "You may look, but not act: Home Assistant does not say at the moment who its administrators are.",
	Fix:   "Wait until Home Assistant has started; if this stays, restart the add-on and look into its log.",
}

var (
	errNoUser   = errors.New("the session has no user")
	errNoAdmins = errors.New("there is no connection to Home Assistant")
)

// isAdmin fails when nobody can be asked.
func (s *Server) isAdmin(r *http.Request) (bool, error) {
	id := r.Header.Get("X-Remote-User-Id")
	if id == "" {
		return false, errNoUser
	}
	if s.cfg.Admins == nil {
		return false, errNoAdmins
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminTime)
	defer cancel()
	return s.cfg.Admins.IsAdmin(ctx, id)
}

func (s *Server) userName(r *http.Request) string {
	if s.cfg.Mode == Standalone {
		return ""
	}
	for _, header := range []string{"X-Remote-User-Display-Name", "X-Remote-User-Name"} {
		if name := short(r.Header.Get(header)); name != "" {
			return name
		}
	}
	return "a user without a name"
}

// mayAct is nil for those who may.
func (v visitor) mayAct() error {
	if v.canAct {
		return nil
	}
	return &reply{http.StatusForbidden, web.Failure{What: "This was not done.", Why: v.notice.What, Remedy: v.notice.Fix}}
}
