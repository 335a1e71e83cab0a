package dash

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// policy allows nothing but our own files. Ingress serves us from the same origin as
// Home Assistant, so a script that got into the page would be one inside Home
// Assistant; frame-ancestors lets its panel show us and nobody else.
const policy = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'self'; frame-ancestors 'self'"

// headers puts what every answer carries. Nothing is kept by anybody unless a handler
// says otherwise. Nothing is compressed here: Home Assistant does that at its edge.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if s.cfg.Mode == Standalone { // inside Home Assistant's frame it means nothing
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Cross-Origin-Resource-Policy", "same-origin") // other sites may not even see that we are here
		}
		return next(c)
	}
}

// bodies hangs up on whoever announces a body and does not send it, whether or not a
// handler wants to read it: net/http does, before it lets go of the connection. A handler
// that has read it all lifts the limit.
func bodies(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().ContentLength != 0 {
			limitRead(c, time.Now().Add(formTime))
		}
		return next(c)
	}
}

// limitRead hangs up at that time; the zero time lifts the limit.
func limitRead(c echo.Context, at time.Time) {
	_ = http.NewResponseController(c.Response()).SetReadDeadline(at) // not every connection has one
}

// methods refuses what no page of ours knows.
func methods(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		switch c.Request().Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
			return next(c)
		}
		c.Response().Header().Set("Allow", "GET, HEAD, POST")
		return echo.ErrMethodNotAllowed
	}
}
