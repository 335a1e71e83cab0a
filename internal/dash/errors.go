package dash

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/labstack/echo/v4"

	"z2mha/internal/failover/network"
	"z2mha/web"
)

// A reply is an error that says itself what is answered.
type reply struct {
	status int
	web.Failure
}

func (r *reply) Error() string { return r.What + " " + r.Why }

// replyTo is the one place where an error becomes a status and sentences that may be
// shown to anybody. known is false for an error whose text is for the log only.
func replyTo(err error) (r *reply, known bool) {
	if r := new(reply); errors.As(err, &r) {
		return r, true
	}
	if b := new(barred); errors.As(err, &b) {
		return &reply{b.status, web.Failure{What: http.StatusText(b.status), Why: b.why}}, true
	}
	if refused := new(network.RefusedError); errors.As(err, &refused) {
		return &reply{http.StatusConflict, web.Failure{What: sentence(refused.What), Why: sentence(refused.Why), Remedy: sentence(refused.Remedy)}}, true
	}
	if he := new(echo.HTTPError); errors.As(err, &he) {
		return ofRouter(he.Code), true
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &reply{http.StatusGatewayTimeout, web.Failure{What: "This took too long.", Why: "The hosts did not answer in time.",
			Remedy: "See below which of them can be reached, and try again."}}, true
	case errors.Is(err, context.Canceled):
		return &reply{http.StatusServiceUnavailable, web.Failure{What: "This was broken off.", Why: "The program is being stopped, or the page was left.",
			Remedy: "Load the page again in a moment."}}, true
	}
	return &reply{http.StatusInternalServerError, web.Failure{What: "Something went wrong here."}}, false
}

// ofRouter is for what no handler was found for.
func ofRouter(code int) *reply {
	switch code {
	case http.StatusNotFound:
		return &reply{code, web.Failure{What: "There is no such page.", Why: "Nothing is served under this address.", Remedy: "Go back to the overview."}}
	case http.StatusMethodNotAllowed:
		return &reply{code, web.Failure{What: "This cannot be done with this address.", Why: "It takes other methods.", Remedy: "Go back to the overview."}}
	}
	return &reply{code, web.Failure{What: "This cannot be answered.", Why: http.StatusText(code)}}
}

// fail answers err: bare text to strangers, a part of a page to HTMX, a page to
// everybody else. What is not meant for people goes to the log, under a number that
// they are given.
func (s *Server) fail(err error, c echo.Context) {
	r, known := replyTo(err)
	if !known {
		id := errorID()
		s.log.Error("request failed", "id", id, "method", c.Request().Method, "path", short(c.Request().URL.Path), "err", err)
		r.Why = "It is in the log under the number " + id + "."
		r.Remedy = "Try again; if it stays, look into the log."
	}
	if c.Response().Committed {
		return
	}
	if err := s.showFailure(c, r, errors.As(err, new(*barred))); err != nil {
		s.log.Debug("answer not delivered", "err", err)
	}
}

func (s *Server) showFailure(c echo.Context, r *reply, stranger bool) error {
	switch {
	case stranger:
		return c.String(r.status, r.Why+"\n")
	case !isPart(c):
		v := visitor{name: s.userName(c.Request())}
		return s.show(c, r.status, web.FailurePage(s.pageFor(c, v, http.StatusText(r.status)), r.Failure))
	case c.Path() == "/preview": // it has a dialog of its own
		return s.show(c, r.status, web.FailureDialog(r.Failure))
	}
	return s.show(c, r.status, web.FailurePart(r.Failure))
}

// isPart says that HTMX asks, which puts the answer into a page that is there.
func isPart(c echo.Context) bool { return c.Request().Header.Get("HX-Request") == "true" }

// errorID is for finding an error in the log.
func errorID() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// recovered turns a panic in a handler into an error, so that it ends nothing else.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); r {
			case nil:
			case http.ErrAbortHandler:
				panic(r)
			default:
				err = panicked(r)
			}
		}()
		return next(c)
	}
}

// A panicError is a programmer's mistake, with where it was made.
type panicError struct {
	value any
	stack []byte
}

func panicked(v any) error { return &panicError{v, debug.Stack()} }

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }
