package dash

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"z2mha/web"
)

func (s *Server) setupPage(c echo.Context) error {
	if s.cfg.Setup == nil {
		return errNoSetup
	}
	setup, err := s.cfg.Setup.Page(c.Request().Context())
	if err != nil {
		return err
	}
	v := s.visitorOf(c.Request())
	setup.CanAct = v.canAct && web.HasHTMX()
	setup.Notices = append(setup.Notices, s.noticesFor(v)...)
	return s.show(c, http.StatusOK, web.SetupPage(s.pageFor(c, v, "Add a host"), setup))
}

func (s *Server) setupStep(c echo.Context) error {
	form, err := formOf(c)
	if err != nil {
		return err
	}
	v := s.visitorOf(c.Request())
	if err := v.mayAct(); err != nil {
		return err
	}
	if s.cfg.Setup == nil {
		return errNoSetup
	}
	part, err := s.cfg.Setup.Step(c.Request().Context(), c.Param("step"), form, v.by())
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, part)
}

var errNoSetup = &reply{http.StatusNotFound, web.Failure{What: "Hosts cannot be added here.",
	Why: "This program was started without the pages for that.", Remedy: "Write the hosts into z2mha.yaml and restart."}}
