package dash_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dash"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// seenIn is what a preview makes its form send along.
func seenIn(t *testing.T, a answer) string {
	t.Helper()
	found := regexp.MustCompile(`hx-vals="\{&#34;seen&#34;:&#34;([0-9a-f]+)&#34;\}"`).FindStringSubmatch(a.body)
	if found == nil {
		t.Fatalf("the preview has no fingerprint:\n%s", a.body)
	}
	return found[1]
}

func TestPreview(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	for _, tt := range []struct {
		name   string
		fields []string
		says   []string
	}{
		{"a move", []string{"verb", "switchover", "to", "cellar"}, []string{"Move the network to cellar?", "about 15 s (an estimate)", "at most 12 min, should every step hang until it is given up.",
			"Stop Zigbee2MQTT on attic", "attic: true # ", `name="to" value="cellar"`}},
		{"a copy", []string{"verb", "sync"}, []string{"Copy the latest data", "Zigbee goes on working"}},
		{"a stop", []string{"verb", "stop", "to", "attic"}, []string{"Stop Zigbee2MQTT on attic?", "until somebody starts a node again", `data-word="attic"`}},
		{"a start", []string{"verb", "start"}, []string{"Start attic again?"}},
		{"a hold", []string{"verb", "hold"}, []string{"Put the network home on hold?"}},
		{"a first load", []string{"verb", "seed"}, []string{"Make the stand-bys ready?", "attic is stopped once", "The stick of cellar is loaded", "about 15 s"}},
		{"a take-over", []string{"verb", "failover", "to", "cellar"}, []string{"Let cellar take over from attic?", "Cellar goes on with the last good copy, number 12. No device has to be paired again",
			"its stick made silent first", "It is back once cellar is proven to work, about 15 s from now."}},
		{"a copy that was refused", []string{"verb", "accept", "copy", "14"}, []string{"Accept copy 14?", "2 devices are gone and none of them left.", `data-word="accept 14"`,
			`name="copy" value="14"`, "Zigbee goes on working"}},
		{"a repair", []string{"verb", "repair", "to", "attic"}, []string{"Repair attic where it is?", "also when it hangs", "ends silent"}},
		{"a return", []string{"verb", "return", "to", "cellar"}, []string{"Make cellar a stand-by?", "What is on it is kept"}},
		{"a release", []string{"verb", "release"}, []string{"Release the network home?"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.t = t
			h.post("preview", tt.fields...).expect(t, 200, append(tt.says, "<dialog", `hx-post="ask"`)...)
		})
	}
	h.t = t
	if n := len(h.desk.requests()); n != 0 {
		t.Errorf("%d previews were carried out", n)
	}
}

func TestAsk(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	seen := seenIn(t, h.post("preview", "network", "home", "verb", "switchover", "to", "cellar"))
	a := h.post("ask", "network", "home", "verb", "switchover", "to", "cellar", "seen", seen, "by", "Stranger", "AcceptChange", "true", "unknown", "x")
	a.expect(t, http.StatusAccepted, `<main id="overview"`)
	want := []desk.Request{{Network: "home", Verb: desk.Switchover, To: "cellar", By: "Owner on the page"}}
	if diff := cmp.Diff(want, h.desk.requests()); diff != "" {
		t.Error(diff)
	}
	if log := h.log.String(); !strings.Contains(log, `by="Owner on the page"`) || !strings.Contains(log, "run=run-1") {
		t.Errorf("the log does not say who asked:\n%s", log)
	}
}

func TestAskStandalone(t *testing.T) {
	h := direct(t, dash.Config{}, dash.Standalone)
	seen := seenIn(t, h.post("preview", "verb", "hold"))
	h.post("ask", "verb", "hold", "seen", seen).expect(t, 202)
	want := []desk.Request{{Network: "home", Verb: desk.Hold, By: "somebody on the page"}}
	if diff := cmp.Diff(want, h.desk.requests()); diff != "" {
		t.Error(diff)
	}
}

// In one step, on hold too: the form of a question carries it to the desk.
func TestStartOnHoldInOneStep(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	shown := h.post("preview", "verb", "start", "to", "attic", "hold", "stays")
	shown.expect(t, 200, "The network stays on hold", `name="hold" value="stays"`)
	h.post("ask", "verb", "start", "to", "attic", "hold", "stays", "seen", seenIn(t, shown)).expect(t, 202)
	if got := h.desk.requests(); len(got) != 1 || !got[0].DespiteHold || got[0].Verb != desk.Start {
		t.Errorf("asked for %+v", got)
	}
	shown = h.post("preview", "verb", "sync", "hold", "stays") // nothing else is done on hold
	h.post("ask", "verb", "sync", "hold", "stays", "seen", seenIn(t, shown)).expect(t, 202)
	if got := h.desk.requests(); got[1].DespiteHold {
		t.Errorf("asked for %+v", got[1])
	}
}

func TestAcknowledge(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	shown := h.post("preview", "verb", "acknowledge")
	shown.expect(t, 200, "Acknowledge the last failover?", "another failover by itself")
	h.post("ask", "verb", "acknowledge", "seen", seenIn(t, shown)).expect(t, 202)
	if got := h.desk.requests(); len(got) != 1 || got[0].Verb != desk.Acknowledge || got[0].By != "Owner on the page" {
		t.Errorf("asked for %+v", got)
	}
}

func TestStopAsksForTheName(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	seen := seenIn(t, h.post("preview", "verb", "stop", "to", "attic"))
	for _, typed := range []string{"", "cellar", "Attic", "attic attic", "atti\u0441"} {
		h.post("ask", "verb", "stop", "to", "attic", "seen", seen, "confirm", typed).expect(t, http.StatusUnprocessableEntity, "data-failure", "“attic”")
	}
	h.post("ask", "verb", "stop", "seen", seen).expect(t, http.StatusUnprocessableEntity, "which node")
	if n := len(h.desk.requests()); n != 0 {
		t.Fatalf("%d requests reached the desk", n)
	}
	h.post("ask", "verb", "stop", "to", "attic", "seen", seen, "confirm", " attic ").expect(t, 202)
}

func TestAcceptAsksForTheCopy(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	seen := seenIn(t, h.post("preview", "verb", "accept", "copy", "14"))
	for _, typed := range []string{"", "14", "accept", "accept 15"} {
		h.post("ask", "verb", "accept", "copy", "14", "seen", seen, "confirm", typed).expect(t, http.StatusUnprocessableEntity, "data-failure", "“accept 14”")
	}
	h.post("ask", "verb", "accept", "copy", "15", "seen", seen, "confirm", "accept 15").expect(t, http.StatusConflict, "things have changed")
	for _, number := range []string{"0", "-1", "<b>", "14 "} {
		h.post("preview", "verb", "accept", "copy", number).expect(t, http.StatusNotFound, "There is no copy")
	}
	if n := len(h.desk.requests()); n != 0 {
		t.Fatalf("%d requests reached the desk", n)
	}
	h.post("ask", "verb", "accept", "copy", "14", "seen", seen, "confirm", "accept 14").expect(t, 202)
	want := []desk.Request{{Network: "home", Verb: desk.Accept, Generation: 14, By: "Owner on the page"}}
	if diff := cmp.Diff(want, h.desk.requests()); diff != "" {
		t.Error(diff)
	}
}

// TestTakeOverAsksForAWord: only where nobody can ask the old stick.
func TestTakeOverAsksForAWord(t *testing.T) {
	const word = "the stick is unplugged"
	h := behindIngress(t, dash.Config{})
	ask := func(seen, typed string) answer {
		return h.post("ask", "verb", "failover", "to", "cellar", "seen", seen, "confirm", typed)
	}
	shown := h.post("preview", "verb", "failover", "to", "cellar")
	if strings.Contains(shown.body, "data-word") {
		t.Errorf("a word is asked for:\n%s", shown.body)
	}
	h.desk.set(func(d *fakeDesk) { d.lost = true }) // since it was shown
	ask(seenIn(t, shown), "").expect(t, http.StatusUnprocessableEntity, "“"+word+"”")

	shown = h.post("preview", "verb", "failover", "to", "cellar")
	shown.expect(t, 200, `data-word="`+word+`"`, "Unplug it, or cut the power", "two coordinators on air would ruin the network")
	for _, typed := range []string{"", "cellar", "unplugged", "the stick is plugged"} {
		ask(seenIn(t, shown), typed).expect(t, http.StatusUnprocessableEntity, "“"+word+"”")
	}
	if n := len(h.desk.requests()); n != 0 {
		t.Fatalf("%d requests reached the desk", n)
	}
	ask(seenIn(t, shown), word).expect(t, 202)
	want := []desk.Request{{Network: "home", Verb: desk.Failover, To: "cellar", By: "Owner on the page",
		From: "attic", Confirmed: "Owner on the page confirmed at 2026-11-22 12:00:00 that its stick has no power"}}
	if diff := cmp.Diff(want, h.desk.requests()); diff != "" {
		t.Error(diff)
	}
}

// TestRestoreIsNotForThePage: it belongs to the command line as yet.
func TestRestoreIsNotForThePage(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	h.post("preview", "verb", "restore", "copy", "12").expect(t, 400, "This cannot be asked for")
}

// TestPlanThatChanged: what would be done must be what was shown.
func TestPlanThatChanged(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	fields := []string{"verb", "switchover", "to", "cellar", "seen", seenIn(t, h.post("preview", "verb", "switchover", "to", "cellar"))}
	h.desk.set(func(d *fakeDesk) { d.from = "shed" })
	h.post("ask", fields...).expect(t, http.StatusConflict, "data-failure", "things have changed")
	h.post("ask", "verb", "switchover", "to", "cellar").expect(t, http.StatusConflict, "things have changed")
	h.post("ask", "verb", "sync", "seen", fields[5]).expect(t, http.StatusConflict, "things have changed")
	if n := len(h.desk.requests()); n != 0 {
		t.Fatalf("%d requests reached the desk", n)
	}
	h.desk.set(func(d *fakeDesk) { d.from = "attic" })
	h.post("ask", fields...).expect(t, 202)
}

func TestErrorsOfTheDesk(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status int
		says   []string
		hides  string
	}{
		{"shows a refusal", &network.RefusedError{What: "switch over home", Why: "cellar is not reachable", Remedy: "start it"}, 409,
			[]string{"Switch over home.", "Cellar is not reachable.", "Start it."}, ""},
		{"hides what is for the log", errors.New("dial /run/secret.sock"), 500, []string{"in the log under the number"}, "secret.sock"},
		{"says that it took too long", context.DeadlineExceeded, 504, []string{"did not answer in time"}, ""},
		{"says that it is being stopped", context.Canceled, 503, []string{"being stopped"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := behindIngress(t, dash.Config{})
			h.desk.set(func(d *fakeDesk) { d.refuse = tt.err })
			shown := h.post("preview", "verb", "sync")
			shown.expect(t, tt.status, append(tt.says, "<dialog")...)
			h.post("ask", "verb", "sync").expect(t, tt.status, append(tt.says, "data-failure")...)
			if tt.hides == "" {
				return
			}
			id := regexp.MustCompile(`number ([0-9a-f]{8})`).FindStringSubmatch(shown.body)
			if strings.Contains(shown.body, tt.hides) || id == nil || !strings.Contains(h.log.String(), id[1]) {
				t.Errorf("shown:\n%s\nlogged:\n%s", shown.body, h.log)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	h := behindIngress(t, dash.Config{Desk: newDesk(home(), named("shed"))})
	change := func(r *http.Request, do func(*http.Request)) *http.Request { do(r); return r }
	header := func(r *http.Request, name, value string) *http.Request {
		return change(r, func(r *http.Request) { r.Header.Set(name, value) })
	}
	form := func(fields ...string) *http.Request { return h.form("ask", fields...) }
	for _, tt := range []struct {
		name   string
		r      *http.Request
		status int
		says   string
	}{
		{"needs the header of HTMX", header(form("network", "home", "verb", "hold"), "HX-Request", ""), 403, "HX-Request"},
		{"takes no other value of it", header(form("network", "home", "verb", "hold"), "HX-Request", "1"), 403, "HX-Request"},
		{"takes no JSON", header(form(), "Content-Type", "application/json"), 415, "x-www-form-urlencoded"},
		{"takes no multipart form", header(form(), "Content-Type", "multipart/form-data; boundary=x"), 415, "x-www-form-urlencoded"},
		{"takes no plain text", header(form(), "Content-Type", "text/plain"), 415, "x-www-form-urlencoded"},
		{"takes no form without a type", header(form(), "Content-Type", ""), 415, "x-www-form-urlencoded"},
		{"takes no endless form", form("network", strings.Repeat("x", 65<<10)), 413, "64 kB"},
		{"takes no broken form", change(h.request("POST", "ask", "verb=%zz"), func(r *http.Request) {
			r.Header.Set("HX-Request", "true")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}), 400, "cannot be read"},
		{"takes no field twice", form("network", "home", "network", "shed", "verb", "hold"), 400, "more than once"},
		{"lists the verbs", form("network", "home", "verb", "explode"), 400, "switchover, sync, stop, start, hold, release, seed, failover, accept, repair, return or acknowledge"},
		{"needs a verb", form("network", "home"), 400, "switchover"},
		{"knows its networks", form("network", "garage", "verb", "hold"), 404, "“garage”"},
		{"needs a network when there are two", form("verb", "hold"), 404, "which network"},
		{"knows its nodes", form("network", "home", "verb", "stop", "to", "garage"), 404, "“garage”"},
		{"does not look at the address", h.form("ask?network=home&verb=hold"), 400, "switchover"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.t = t
			h.do(tt.r).expect(t, tt.status, tt.says)
		})
	}
	h.t = t
	if n := len(h.desk.requests()); n != 0 {
		t.Errorf("%d requests reached the desk", n)
	}
}

// named is another network.
func named(name string) status.Network {
	n := home()
	n.Name = name
	return n
}
