package dash

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

// overviewOf fills the first page. now decides only whether an ended run is still
// worth showing.
func overviewOf(networks []status.Network, now time.Time) []web.Network {
	out := make([]web.Network, 0, len(networks))
	for _, n := range networks {
		out = append(out, networkOf(n, now))
	}
	return out
}

func networkOf(n status.Network, now time.Time) web.Network {
	v := web.Network{
		Name: n.Name, Heading: heading(n), Tone: tones[n.Protection], Looked: n.At,
		Reasons: reasonsOf(n), Actions: networkActions(n), Facts: networkFacts(n), Run: shownRun(n, now),
		If: ifDied(n), Notices: risks(n), Question: questionOf(n), Watch: watchOf(n),
	}
	for _, x := range n.Nodes {
		v.Nodes = append(v.Nodes, nodeOf(n, x))
	}
	for _, l := range n.Coverage {
		v.Covers = append(v.Covers, coverOf(l))
	}
	for _, c := range failedFirst(n.Checks) {
		x := checkOf(c)
		if age, known := c.Age(n.At); known && age > sameLook {
			x.At = c.At
		}
		v.Checks = append(v.Checks, x)
	}
	for _, e := range n.Events {
		v.Events = append(v.Events, eventOf(e))
	}
	return v
}

var tones = map[status.Protection]web.Tone{
	status.Protected:   web.ToneProtected,
	status.Degraded:    web.ToneDegraded,
	status.Unprotected: web.ToneUnprotected,
	status.Acting:      web.ToneActing,
	status.Held:        web.ToneHeld,
}

func heading(n status.Network) string {
	if s := n.Protection.Sentence(); s != "" {
		return s
	}
	return "Not looked at yet."
}

// reasonsOf adds to the desk's reasons what a look that failed as a whole leaves open.
func reasonsOf(n status.Network) []web.Reason {
	var out []web.Reason
	for _, r := range n.Reasons {
		out = append(out, web.Reason{Node: r.Node, What: sentence(r.What), Fix: sentence(r.Fix)})
	}
	if n.LookErr != nil && len(n.Reasons) == 0 {
		out = append(out, web.Reason{What: sentence("The last look was not possible: " + n.LookErr.Error())})
	}
	return out
}

func networkFacts(n status.Network) []web.Fact {
	active := web.Fact{Label: "Active node", Text: "nobody, or it cannot be told"}
	if n.Active != "" {
		active.Text = n.Active
		if n.Active == n.Recorded {
			active.At = n.Since
		}
	}
	facts := []web.Fact{active, {Label: "Devices", Text: devices(n.Devices)}, lastSync(n)}
	if n.Last != nil {
		facts = append(facts, web.Fact{Label: "Last switchover", Text: moveText(*n.Last), At: n.Last.At})
	}
	if n.Moves > 0 {
		facts = append(facts, web.Fact{Label: "Switchovers on record", Text: fmt.Sprint(n.Moves)})
	}
	if !n.Unacknowledged.IsZero() {
		f := web.Fact{Label: "Took over by itself, not acknowledged", At: n.Unacknowledged}
		if !n.CoolDown.IsZero() {
			f.Text = "no second failover before " + n.CoolDown.Local().Format("15:04")
		}
		facts = append(facts, f)
	}
	if n.Unproven != "" {
		facts = append(facts, web.Fact{Label: "Not proven when it took over", Text: n.Unproven})
	}
	if n.Hold.On {
		facts = append(facts, web.Fact{Label: "On hold", Text: prefixed("by ", n.Hold.By), At: n.Hold.Since})
	}
	return facts
}

func devices(n int) string {
	if n < 0 {
		return "not known"
	}
	return fmt.Sprint(n)
}

func lastSync(n status.Network) web.Fact {
	f := web.Fact{Label: "Last sync", At: n.LastSync}
	switch {
	case n.LastSync.IsZero():
		f.Text = "none yet"
	case n.Generation > 0:
		f.Text = fmt.Sprintf("copy number %d", n.Generation)
	}
	return f
}

// moveText is "attic → cellar, 41 s, 14 s without Zigbee".
func moveText(m status.Move) string {
	parts := []string{m.From + " → " + m.To}
	if m.Outcome == "" {
		parts = append(parts, "not ended")
	} else if m.Duration > 0 {
		parts = append(parts, span(m.Duration))
	}
	if m.Outage > 0 {
		parts = append(parts, span(m.Outage)+" without Zigbee")
	}
	if word := outcomeWords[m.Outcome]; word != "" {
		parts = append(parts, word)
	}
	return strings.Join(parts, ", ")
}

var roles = map[network.Role]struct {
	word  string
	state web.LightState
}{
	network.RoleActive:  {"Active", web.LightGood},
	network.RoleStandby: {"Stand-by", web.LightGood},
	network.RoleFenced:  {"Silenced", web.LightWarn},
	network.RoleOffline: {"Not reachable", web.LightBad},
	network.RoleUnknown: {"Not known", web.LightUnknown},
}

func nodeOf(n status.Network, x status.Node) web.Node {
	role, known := roles[x.Role]
	if !known {
		role = roles[network.RoleUnknown]
	}
	v := web.Node{
		Name: x.Name, Role: role.word, State: role.state, Serving: x.Role == network.RoleActive,
		Kind: kindWord(x.Kind), Address: x.Address,
		Host: lightOf(x.Host), Service: lightOf(x.Service), Dongle: lightOf(x.Dongle), Radio: lightOf(x.Radio),
		Facts: nodeFacts(x), More: holdings(x), Actions: nodeActions(n, x),
	}
	if x.OutOfSync {
		v.Notes = append(v.Notes, "Its copy of the data is not the latest one.")
	}
	return v
}

func kindWord(kind string) string {
	switch kind {
	case "openrc":
		return "OpenRC"
	case "commands":
		return "own commands"
	}
	return kind
}

func nodeFacts(x status.Node) []web.Fact {
	facts := []web.Fact{{Label: "Last seen", At: x.Seen}}
	if x.Seen.IsZero() {
		facts[0].Text = "never"
	}
	if x.Latency > 0 {
		facts = append(facts, web.Fact{Label: "A look takes", Text: span(x.Latency)})
	}
	if x.Version != "" {
		facts = append(facts, web.Fact{Label: "Zigbee2MQTT", Text: x.Version})
	}
	if x.Firmware != "" {
		facts = append(facts, web.Fact{Label: "Firmware", Text: x.Firmware})
	}
	return facts
}

func lightOf(l status.Light) web.Light {
	state, known := lights[l.State]
	if !known {
		state = web.LightUnknown
	}
	text := l.Text
	if text == "" {
		text = "not known"
	}
	return web.Light{State: state, Text: text, Evidence: l.Evidence, At: l.At}
}

var lights = map[status.LightState]web.LightState{
	status.LightGood:    web.LightGood,
	status.LightBad:     web.LightBad,
	status.LightWarn:    web.LightWarn,
	status.LightUnknown: web.LightUnknown,
}

// sameLook is how old the evidence of a check may be for its age to be that of the look.
const sameLook = time.Minute

// failedFirst puts what forbids acting before warnings, those before notes, and what
// holds last.
func failedFirst(checks []readiness.Check) []readiness.Check {
	rank := func(c readiness.Check) int {
		switch {
		case c.Blocks():
			return 0
		case !c.OK && !c.Note:
			return 1
		case !c.OK:
			return 2
		}
		return 3
	}
	out := slices.Clone(checks)
	slices.SortStableFunc(out, func(a, b readiness.Check) int { return rank(a) - rank(b) })
	return out
}

// checkOf shows a check. The title of one says what should be; where that does not hold,
// what was seen instead takes its place.
func checkOf(c readiness.Check) web.Check {
	v := web.Check{State: web.LightGood, Node: c.Node, What: capital(c.What), Evidence: c.Evidence}
	if !c.OK {
		v.State, v.Fix = web.LightBad, sentence(c.Fix)
	}
	if !c.OK && c.Evidence != "" {
		v.What, v.Evidence = capital(c.Evidence), ""
	}
	if !c.OK && c.Warning {
		v.State = web.LightWarn
	}
	if !c.OK && c.Note {
		v.State = web.LightUnknown
	}
	return v
}

func eventOf(e status.Event) web.Event {
	v := web.Event{At: e.At, State: eventStates[e.Type], Text: sentence(e.Text), By: e.By, Fix: sentence(e.Fix)}
	if e.Type == status.EventProtection {
		v.State = protectionStates[e.Is]
	}
	if v.State == "" {
		v.State = web.LightUnknown
	}
	return v
}

// eventStates are the events that are good or bad news; the others are just news.
var eventStates = map[status.EventType]web.LightState{
	status.EventSwitchoverCompleted: web.LightGood,
	status.EventFailoverStarted:     web.LightWarn,
	status.EventFailoverCompleted:   web.LightGood,
	status.EventFailoverFailed:      web.LightBad,
	status.EventRepaired:            web.LightGood,
	status.EventRepairFailed:        web.LightBad,
	status.EventReturned:            web.LightGood,
	status.EventNeedsConfirmation:   web.LightBad,
	status.EventRehearsalSkipped:    web.LightWarn,
	status.EventSwitchoverFailed:    web.LightBad,
	status.EventNeedsHelp:           web.LightBad,
	status.EventSyncCompleted:       web.LightGood,
	status.EventSyncFailed:          web.LightWarn,
	status.EventSyncRecovered:       web.LightGood,
	status.EventCaptureRefused:      web.LightBad,
	status.EventNodeStarted:         web.LightGood,
	status.EventRunFailed:           web.LightBad,
	status.EventRedundancyLost:      web.LightBad,
	status.EventRedundancyRestored:  web.LightGood,
	status.EventSplitBrain:          web.LightBad,
	status.EventRefused:             web.LightWarn,
}

var protectionStates = map[status.Protection]web.LightState{
	status.Protected:   web.LightGood,
	status.Degraded:    web.LightWarn,
	status.Unprotected: web.LightBad,
}

// prefixed is "" for nothing.
func prefixed(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}
