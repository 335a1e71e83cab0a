package dash

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"z2mha/internal/failover/desk"
	"z2mha/web"
)

// askTime is how long the desk may take to begin.
const askTime = 3 * time.Minute

// ask begins what was shown before, if it is still the same. The answer is the
// overview with the run in it.
func (s *Server) ask(c echo.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	if err := a.confirmed(); err != nil {
		return err
	}
	if err := s.stillSame(c.Request().Context(), a); err != nil {
		return err
	}
	// Once it is to begin, a browser that is gone no longer matters.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), askTime)
	defer cancel()
	run, err := s.cfg.Desk.Ask(ctx, a.Request)
	if err != nil {
		return err
	}
	s.log.Info("asked for on the page", "verb", a.Verb, "network", a.Network, "to", a.To, "by", a.By, "run", run)
	return s.show(c, http.StatusAccepted, web.OverviewPart(s.overviewFor(s.visitorOf(c.Request()))))
}

// confirmed says whether the name was typed that a dangerous verb asks for.
func (a asked) confirmed() error {
	if a.Verb != desk.Stop {
		return nil
	}
	if a.To == "" {
		return &reply{http.StatusUnprocessableEntity, web.Failure{What: "Nothing was stopped.", Why: "The form does not say which node is meant.", Remedy: "Press “Stop …” at the card of the node."}}
	}
	if a.confirm != a.To {
		return &reply{http.StatusUnprocessableEntity, web.Failure{What: "Nothing was stopped.", Why: "What was typed is not the name of the node.", Remedy: "Type " + quoted(a.To) + ", exactly like that."}}
	}
	return nil
}

// stillSame refuses a plan that nobody has seen: since the preview was shown, somebody
// else may have moved the network.
func (s *Server) stillSame(ctx context.Context, a asked) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	p, err := s.cfg.Desk.Preview(ctx, a.Request)
	if err != nil {
		return err
	}
	if a.seen == fingerprint(p) {
		return nil
	}
	return &reply{http.StatusConflict, web.Failure{What: "Nothing was done: things have changed since you looked.",
		Why: "What would be done now is not what was shown.", Remedy: "Close this, press the button once more and look again."}}
}
