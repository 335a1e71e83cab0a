package dash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"z2mha/web"
)

// pageFor is what is around every page. title is "" for the first one.
func (s *Server) pageFor(c echo.Context, v visitor, title string) web.Page {
	return web.Page{Title: title, Base: s.base(c.Request()), Now: s.cfg.Now(), User: v.name, Version: s.cfg.Version}
}

// ingressPath is what Core puts into X-Ingress-Path.
var ingressPath = regexp.MustCompile(`^/api/hassio_ingress/[A-Za-z0-9_-]+$`)

// base is the path that all links start from. Without ingress it leads up from where
// the request is, so that it also fits below the path of a proxy that we know nothing of.
func (s *Server) base(r *http.Request) string {
	if path := r.Header.Get("X-Ingress-Path"); s.cfg.Mode == Addon && ingressPath.MatchString(path) {
		return path + "/"
	}
	depth := strings.Count(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// render draws a component whole before anything of it is sent, so that a mistake in
// it does not leave half a page.
func render(ctx context.Context, component templ.Component) ([]byte, error) {
	var b bytes.Buffer
	if err := component.Render(ctx, &b); err != nil {
		return nil, fmt.Errorf("draw the page: %w", err)
	}
	return b.Bytes(), nil
}

// show draws a component and sends it.
func (s *Server) show(c echo.Context, status int, component templ.Component) error {
	html, err := render(c.Request().Context(), component)
	if err != nil {
		return err
	}
	return s.send(c, status, html)
}

// send tells the length, so that ingress reads the answer whole and passes it on.
func (s *Server) send(c echo.Context, status int, html []byte) error {
	limitWrite(c)
	c.Response().Header().Set("Content-Length", strconv.Itoa(len(html)))
	return c.HTMLBlob(status, html)
}

// limitWrite gives up on a browser that does not take what it asked for. net/http
// lifts the limit at the end of the answer.
func limitWrite(c echo.Context) {
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(writeTime)) // not every connection has one
}

// tagOf is the same for the same HTML.
func tagOf(html []byte) string {
	sum := sha256.Sum256(html)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}
