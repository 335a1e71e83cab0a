package web

import (
	"time"

	"github.com/a-h/templ"
)

// Names of the server-sent events that app.js listens to. Alive comes at least every
// 40 s when nothing changes, with any data that is not empty: a comment would keep
// the connection open too, but a script cannot see it.
const (
	EventOverview = "overview" // data is the HTML of OverviewPart
	EventAlive    = "alive"
)

// htmxConfig is what our Content-Security-Policy asks of HTMX. Nothing of a page is
// kept in the browser's storage, which it shares with Home Assistant's.
const htmxConfig = `{"allowEval":false,"includeIndicatorStyles":false,"selfRequestsOnly":true,"historyEnabled":false,"allowScriptTags":false}`

func (p Page) lang() string {
	if p.Lang == "" {
		return "en-GB"
	}
	return p.Lang
}

func (p Page) base() string {
	if p.Base == "" {
		return "/"
	}
	return p.Base
}

func (p Page) title() string {
	if p.Title == "" {
		return words.Product
	}
	return p.Title + " – " + words.Product
}

// asset returns the relative address of an asset.
func asset(name string) templ.SafeURL { return templ.SafeURL(Assets.Path(name)) }

func assetSource(name string) string { return Assets.Path(name) }

// stamp is t as machines read it, "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// clock is t as people read it when no script turns it into an age.
func clock(t time.Time) string { return t.Format("2 Jan 15:04:05") }

// date is t in full.
func date(t time.Time) string { return t.Format("2 January 2006, 15:04:05") }
