package dash

import (
	"context"
	"fmt"
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
	if a.Verb == desk.Failover && a.confirm == unplugged {
		a.Confirmed = fmt.Sprintf("%s confirmed at %s that its stick has no power", a.By, s.cfg.Now().Format(time.DateTime))
	}
	p, err := s.stillSame(c.Request().Context(), a)
	if err != nil {
		return err
	}
	if a.Verb == desk.Failover {
		a.From = p.Plan.From // as it was shown
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

// unplugged is what somebody types who has seen that a stick has no power.
const unplugged = "the stick is unplugged"

// confirmed says whether the words were typed that a dangerous verb asks for. Whether a
// failover asks for any depends on what is seen; see stillSame.
func (a asked) confirmed() error {
	switch word := acceptWord(a.Generation); {
	case a.Verb == desk.Accept && a.confirm != word:
		return notTyped("Nothing was accepted.", word)
	case a.Verb == desk.Failover && a.confirm != "" && a.confirm != unplugged:
		return notTyped("Nothing was done.", unplugged)
	case a.Verb != desk.Stop:
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

func acceptWord(number int) string { return fmt.Sprintf("accept %d", number) }

func notTyped(what, word string) error {
	return &reply{http.StatusUnprocessableEntity, web.Failure{What: what, Why: "What was typed is not what confirms it.", Remedy: "Type " + quoted(word) + ", exactly like that."}}
}

// stillSame refuses a plan that nobody has seen: since the preview was shown, somebody
// else may have moved the network.
func (s *Server) stillSame(ctx context.Context, a asked) (desk.Preview, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	p, err := s.cfg.Desk.Preview(ctx, a.Request)
	if err != nil {
		return p, err
	}
	if p.NeedsWord {
		return p, notTyped("Nothing was done.", unplugged)
	}
	if a.seen == fingerprint(p) {
		return p, nil
	}
	return p, &reply{http.StatusConflict, web.Failure{What: "Nothing was done: things have changed since you looked.",
		Why: "What would be done now is not what was shown.", Remedy: "Close this, press the button once more and look again."}}
}
