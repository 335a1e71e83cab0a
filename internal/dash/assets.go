package dash

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"z2mha/web"
)

// asset serves embedded files under names that hold their hash, and under no other,
// so that a browser may keep them for ever.
func (s *Server) asset(c echo.Context) error {
	a, found := web.Assets.Open("assets/" + c.Param("name"))
	if !found {
		return echo.ErrNotFound
	}
	limitWrite(c)
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Length", strconv.Itoa(len(a.Content)))
	return c.Blob(http.StatusOK, a.Type, a.Content)
}
