package dash

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"z2mha/web"
)

const (
	maxStreams = 32               // more would be browsers that were forgotten
	alive      = 15 * time.Second // between signs of life, which is also when notices are looked at again
	breath     = 250 * time.Millisecond
)

// streams counts what is open.
type streams struct{ open atomic.Int32 }

func (s *streams) enter() bool {
	if s.open.Add(1) <= maxStreams {
		return true
	}
	s.leave()
	return false
}

func (s *streams) leave() { s.open.Add(-1) }

// events sends the overview now and whenever it has changed, until the browser or the
// server ends it. Every stream waits for itself, so one that is slow holds up nobody:
// changes that come meanwhile are one change to it, and when it takes nothing for half
// a minute it is dropped. The browser then comes back by itself.
func (s *Server) events(c echo.Context) error {
	if !s.streams.enter() {
		return &reply{http.StatusServiceUnavailable, web.Failure{What: "No further live view is possible.",
			Why: fmt.Sprintf("%d are open already.", maxStreams), Remedy: "This page asks at intervals instead; close others to have it live again."}}
	}
	defer s.streams.leave()
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	return (&stream{server: s, context: c}).run(c.Request().Context())
}

// A stream is one browser that looks.
type stream struct {
	server  *Server
	context echo.Context
	last    []byte // HTML that was sent last
}

// run returns nil when the stream has ended, whoever ended it.
func (t *stream) run(ctx context.Context) error {
	tick := time.NewTicker(alive)
	defer tick.Stop()
	for ticked := false; ; {
		changed := t.server.cfg.Desk.Changed() // before the look, so that nothing is missed
		if err := t.tell(ctx, ticked); err != nil {
			t.server.log.Debug("stream ended", "err", err)
			return nil
		}
		if !pause(ctx, breath) { // many small changes become one
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			ticked = false
		case <-tick.C:
			ticked = true
		}
	}
}

// tell sends the overview if it is another one, or else a sign of life when it is time
// for one.
func (t *stream) tell(ctx context.Context, sign bool) error {
	html, err := render(ctx, web.OverviewPart(t.server.overviewFor(t.server.visitorOf(t.context.Request()))))
	switch {
	case err != nil:
		return err
	case !bytes.Equal(html, t.last):
		t.last = html
		return t.send(web.EventOverview, html)
	case sign:
		return t.send(web.EventAlive, []byte("yes"))
	}
	return nil
}

// send writes one event. The format knows only lines, and every line end in data is
// one, so each gets its own data field; a browser joins them again.
func (t *stream) send(event string, data []byte) error {
	var b bytes.Buffer
	b.WriteString("event: " + event + "\n")
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	limitWrite(t.context)
	if _, err := t.context.Response().Write(b.Bytes()); err != nil {
		return err
	}
	return http.NewResponseController(t.context.Response()).Flush()
}

// pause is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
