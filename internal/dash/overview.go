package dash

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"z2mha/web"
)

func (s *Server) index(c echo.Context) error {
	v := s.visitorOf(c.Request())
	return s.show(c, http.StatusOK, web.OverviewPage(s.pageFor(c, v, ""), s.overviewFor(v)))
}

// overview is the part of the page that changes, for browsers that no stream reaches.
// What has not changed is not sent again: the tag is that of the last answer.
func (s *Server) overview(c echo.Context) error {
	html, err := render(c.Request().Context(), web.OverviewPart(s.overviewFor(s.visitorOf(c.Request()))))
	if err != nil {
		return err
	}
	tag := tagOf(html)
	c.Response().Header().Set("ETag", tag)
	if c.Request().Header.Get("If-None-Match") == tag {
		return c.NoContent(http.StatusNotModified)
	}
	return s.send(c, http.StatusOK, html)
}

func (s *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok") }

// overviewFor is what v gets to see now. Without HTMX no button would do anything.
func (s *Server) overviewFor(v visitor) web.Overview {
	return web.Overview{
		Networks: overviewOf(s.cfg.Desk.Networks(), s.cfg.Now()),
		Notices:  s.noticesFor(v),
		CanAct:   v.canAct && web.HasHTMX(),
	}
}

func (s *Server) noticesFor(v visitor) []Notice {
	var out []Notice
	if s.cfg.Notices != nil {
		out = append(out, s.cfg.Notices()...)
	}
	if !web.HasHTMX() {
		out = append(out, web.NoticeNoHTMX)
	}
	if v.notice != nil {
		out = append(out, *v.notice)
	}
	return out
}
