package web_test

import (
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"z2mha/web"
	"z2mha/web/storybook"
)

// What a person answers in one step: the button of a question opens its plan, dangerous
// ones want words, and what is sent is what the question is about.
func TestAnswersInTheBrowser(t *testing.T) {
	needHTMX(t)
	refused := storybook.Home()
	refused.Actions = []web.Action{{Label: "Accept copy 219 …", Verb: "accept", Network: "home", Copy: 219, Danger: true}}
	for _, tt := range []struct {
		name    string
		network web.Network
		button  string // pressed on the page
		dialog  web.Preview
		word    string // to be typed, "" when none
		sent    map[string]string
	}{
		{"a take-over wants the words", storybook.Asked(), ".question .button", storybook.Failover(), "the stick is unplugged",
			map[string]string{"verb": "failover", "to": "cellar", "confirm": "the stick is unplugged"}},
		{"a refused copy wants its number", refused, ".hero .button", web.Preview{Title: "Accept copy 219?",
			Confirm: web.Confirm{Network: "home", Verb: "accept", Copy: 219, Label: "Accept copy 219", Word: "accept 219", Danger: true}}, "accept 219",
			map[string]string{"verb": "accept", "copy": "219", "confirm": "accept 219"}},
		{"a start on hold is one step", storybook.StartOnHeld(), ".question .button", storybook.StartOnHold(), "",
			map[string]string{"verb": "start", "to": "attic", "hold": "stays"}},
		{"an acknowledgement is one step", storybook.TakenOver(), ".hero form[data-key^=acknowledge] .button", storybook.Acknowledge(), "", map[string]string{"verb": "acknowledge"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, web.Overview{CanAct: true, Networks: []web.Network{tt.network}})
			s.set(func(s *site) {
				s.preview = func() (int, templ.Component) { return 200, web.PreviewDialog(tt.dialog) }
				s.ask = s.stopping
			})
			ctx := browse(t)
			const submit = ".panel-foot [type=submit]"
			run(t, ctx, chromedp.Navigate(s.URL+below), chromedp.Click(chromedp.CSS(tt.button)), chromedp.WaitVisible(chromedp.CSS("dialog[open]")))
			for _, field := range []string{"verb", "to", "copy", "hold"} {
				if want, ok := tt.sent[field]; ok && s.sent(field) != want {
					t.Errorf("the button sent %s %q, want %q", field, s.sent(field), want)
				}
			}
			if tt.word != "" {
				run(t, ctx, until(`document.querySelector("`+submit+`").disabled`), chromedp.SendKeys(chromedp.CSS("[data-word]"), tt.word))
			}
			run(t, ctx, until(`!document.querySelector("`+submit+`").disabled`), chromedp.Click(chromedp.CSS(submit)), until(`!document.querySelector("dialog")`))
			for field, want := range tt.sent {
				if got := s.sent(field); got != want {
					t.Errorf("the form sent %s %q, want %q", field, got, want)
				}
			}
		})
	}
}
