// Package web draws the page: view models, the templ components that turn them into
// HTML, and the embedded assets. It decides nothing and imports nothing of internal;
// internal/dash fills the models and serves what is drawn.
//
// Every text in a model is ready to be read by a person and is escaped when it is
// drawn, so names of devices and nodes may be anything. Moments are time.Time: the
// page shows the hour, and app.js turns it into an age that goes on by itself. The
// HTML of a model therefore depends on the model alone, never on the clock, and two
// equal pieces of HTML mean that nothing has changed.
//
// All links are relative to Page.Base, so that the page works below any path. There
// is no inline script and no inline style.
package web

import "time"

// A Page is what is around every page.
type Page struct {
	Title string
	Lang  string    // of the texts; "" is "en"
	Base  string    // path below which everything is, with a slash at both ends; "" is "/"
	Now   time.Time // the server's clock; ages on the page go by it
	// User is who looks at the page, as it is shown; "" when that is not known.
	User    string
	Version string // of this program
}

// A Tone is how well a network is protected, and with that the colour of its card.
type Tone string

const (
	ToneProtected   Tone = "protected"
	ToneDegraded    Tone = "degraded"
	ToneUnprotected Tone = "unprotected"
	ToneActing      Tone = "acting"
	ToneHeld        Tone = "held"
	ToneUnknown     Tone = "" // nothing was looked at yet
)

// A LightState is how something is marked. The mark is never alone: a word or a
// hidden word for screen readers stands beside it.
type LightState string

const (
	LightGood    LightState = "good"
	LightBad     LightState = "bad"
	LightWarn    LightState = "warn"
	LightUnknown LightState = "unknown" // no evidence; for events and notices: plain news
)

// A Failure is what is shown in place of what was asked for.
type Failure struct {
	What   string // what was tried
	Why    string
	Remedy string // what a person can do; may be ""
}

// A Notice stands at the top of the page.
type Notice struct {
	State   LightState
	What    string   // a sentence
	Details []string // for example the problems of the configuration, one per line
	Fix     string   // what a person can do; may be ""
	Link    Link     // where to do it; may be zero
}

// A Link leads to another page of ours. Href is relative: "setup".
type Link struct{ Label, Href string }

// A Fact is a label with a value: a text, or a moment, or a moment with a text.
type Fact struct {
	Label string
	Text  string
	At    time.Time // zero when it is no moment
}

// NoticeNoHTMX is for a program that was built without HTMX; see HasHTMX.
var NoticeNoHTMX = Notice{
	State: LightWarn,
	What:  "This page can only show, not act: the program was built without HTMX.",
	Fix:   "Build it again where npm is installed and reaches its registry, or use the command line.",
}

// NoticeReadOnly is for people who may look and not act.
var NoticeReadOnly = Notice{
	State: LightUnknown,
	What:  "You may look, but not act: only administrators of Home Assistant can.",
}
