// Package storybook holds every state of every component of the page as a literal:
// for looking at (go run ./scripts/storybook) and for golden files.
package storybook

import (
	"strings"
	"time"

	"github.com/a-h/templ"

	"z2mha/web"
)

// A Story is one component in one state.
type Story struct {
	Name      string // unique, and the name of its golden file: "overview-protected"
	Place     Place
	Component templ.Component
}

// A Place is where a component belongs on a page.
type Place string

const (
	PlacePage   Place = "page"   // it is a whole page
	PlaceDialog Place = "dialog" // in the element "dialog" of the overview
	PlaceStep   Place = "step"   // in place of "setup-step" on the set-up page
	PlaceNodes  Place = "nodes"  // in place of "node-step" there
)

// Stories are all of them, in the order in which they are shown.
func Stories() []Story {
	var all []Story
	for _, part := range [][]Story{overviews(), runs(), dialogs(), setups(), failures()} {
		all = append(all, part...)
	}
	return all
}

// Now is the hour of all stories.
var Now = time.Date(2026, time.November, 22, 18, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return Now.Add(-d) }

// Page is around every story.
func Page(title string) web.Page {
	return web.Page{Title: title, Base: "/", Now: Now, User: "Owner", Version: "0.3.0"}
}

// Hostile is what a device or node may be called.
const Hostile = `<script src="x"></script><img src=x onerror=alert(1)>"'&amp;` + "\n" + `</style><b style="color:red" onclick="x()">`

// Long is a name without a place to break.
var Long = strings.Repeat("Wohnzimmer", 20)
