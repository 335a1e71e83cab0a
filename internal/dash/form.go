package dash

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

// maxForm is far more than any form of ours holds; formTime is for phones on bad lines.
const (
	maxForm  = 64 << 10
	formTime = 30 * time.Second
)

// verbs are what may be asked for on the page.
var verbs = []desk.Verb{desk.Switchover, desk.Sync, desk.Stop, desk.Start, desk.Hold, desk.Release, desk.Seed, desk.Failover, desk.Accept, desk.Repair, desk.Return, desk.Acknowledge}

// formOf reads the body of a POST. Fields in the address are not looked at: Home
// Assistant writes addresses to its log and refuses some of them.
func formOf(c echo.Context) (url.Values, error) {
	r := c.Request()
	if r.Header.Get("HX-Request") != "true" {
		return nil, &reply{http.StatusForbidden, web.Failure{What: "This was not done.",
			Why:    "The request did not come from the page: it lacks the header HX-Request, without which other sites could press buttons here.",
			Remedy: "Use the buttons of the page, with scripts allowed, or the command line."}}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != echo.MIMEApplicationForm {
		return nil, badForm(http.StatusUnsupportedMediaType, "The form did not come as application/x-www-form-urlencoded.")
	}
	r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, maxForm)
	err := r.ParseForm()
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return nil, badForm(http.StatusRequestEntityTooLarge, "The form is longer than 64 kB.")
	}
	if err != nil {
		return nil, badForm(http.StatusBadRequest, "The form did not arrive whole or cannot be read.")
	}
	limitRead(c, time.Time{})
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, badForm(http.StatusBadRequest, "The form has the field "+short(name)+" more than once.")
		}
	}
	return r.PostForm, nil
}

func badForm(status int, why string) error {
	return &reply{status, web.Failure{What: "The form could not be read.", Why: why, Remedy: "Load the page again and try once more."}}
}

// An asked is a checked form: a verb that exists, a network and a node that exist.
type asked struct {
	desk.Request
	confirm string // what was typed
	seen    string // fingerprint of the plan that was shown
}

// askedOf checks what was asked for against what there is.
func askedOf(form url.Values, networks []status.Network, by string) (asked, error) {
	verb := desk.Verb(form.Get("verb"))
	if !slices.Contains(verbs, verb) {
		var words []string
		for _, v := range verbs {
			words = append(words, string(v))
		}
		return asked{}, &reply{http.StatusBadRequest, web.Failure{What: "This cannot be asked for: " + quoted(string(verb)) + ".",
			Why: "What can be asked for is " + either(words) + ".", Remedy: "Load the page again."}}
	}
	n, err := networkNamed(form.Get("network"), networks)
	if err != nil {
		return asked{}, err
	}
	to := form.Get("to")
	if _, known := n.Node(to); !known && to != "" {
		return asked{}, notThere("There is no node " + quoted(to) + " in the network " + quoted(n.Name) + ".")
	}
	number, err := copyNumber(form.Get("copy"))
	if err != nil {
		return asked{}, err
	}
	return asked{
		Request: desk.Request{Network: n.Name, Verb: verb, To: to, By: by, Generation: number, DespiteHold: verb == desk.Start && form.Get("hold") == "stays"},
		confirm: strings.TrimSpace(form.Get("confirm")), seen: form.Get("seen"),
	}, nil
}

// copyNumber is that of a copy; 0 when the form has none.
func copyNumber(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, notThere("There is no copy " + quoted(s) + ".")
	}
	return n, nil
}

// networkNamed takes "" for the only network.
func networkNamed(name string, networks []status.Network) (status.Network, error) {
	if name == "" && len(networks) == 1 {
		return networks[0], nil
	}
	for _, n := range networks {
		if n.Name == name && name != "" {
			return n, nil
		}
	}
	if name == "" {
		return status.Network{}, notThere("The form does not say which network is meant.")
	}
	return status.Network{}, notThere("There is no network " + quoted(name) + ".")
}

func notThere(what string) error {
	return &reply{http.StatusNotFound, web.Failure{What: what, Why: "It may have been removed from z2mha.yaml since the page was loaded.", Remedy: "Load the page again."}}
}

func quoted(s string) string { return "“" + short(s) + "”" }
