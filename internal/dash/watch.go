package dash

import (
	"fmt"
	"strings"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

// watchOf is what is known and decided. It is empty while nobody decides.
func watchOf(n status.Network) web.Watch {
	d := n.Decision
	if d == nil {
		return web.Watch{}
	}
	w := web.Watch{Decision: said(n, decided(d)+d.Summary()), Automatics: automatics(n)}
	for _, r := range d.Reasons[min(1, len(d.Reasons)):] {
		w.Reasons = append(w.Reasons, said(n, r))
	}
	for _, c := range n.Conditions {
		w.Tells = append(w.Tells, web.Tell{State: conditionState(c.Kind), Node: c.Node, What: capital(string(c.Kind)), Evidence: c.Evidence})
	}
	for _, a := range d.Not {
		w.Not = append(w.Not, web.Alternative{What: strings.TrimSpace(capital(string(a.Action)) + " " + a.Node), Why: said(n, a.Why)})
	}
	if d.Refused != "" {
		w.Refused = sentence("It was not begun: " + d.Refused)
		if !d.Again.IsZero() && d.Again.After(d.At) {
			w.Refused += " It is tried again in " + span(d.Again.Sub(d.At)) + "."
		}
	}
	if !n.Rehearsal.IsZero() {
		w.Rehearsal = "The next rehearsal is due on " + n.Rehearsal.Format("Mon 2 Jan, 15:04") + "."
	}
	if d.Number > 0 {
		w.Number = fmt.Sprintf("z2mha why --number %d", d.Number)
	}
	return w
}

// said is a sentence, in which the name of a node that begins it stays as it is.
func said(n status.Network, s string) string {
	word, _, _ := strings.Cut(s, " ")
	if _, is := n.Node(strings.TrimRight(word, ":,")); is {
		return strings.TrimSuffix(s, ".") + "."
	}
	return sentence(s)
}

// decided is what begins the sentence.
func decided(d *status.Decision) string {
	words := map[decide.Action]string{decide.Nothing: "nothing is done: ", decide.Wait: "it is waited: ", decide.Look: "it is looked closer: ",
		decide.Repair: d.Node + " is repaired: ", decide.Failover: d.To + " takes over: ", decide.ColdStart: d.Node + " is started: ",
		decide.Silence: d.Node + " is silenced: ", decide.Return: d.Node + " becomes a stand-by: ", decide.Rehearse: "a rehearsal: ",
		decide.FailBack: "the network moves back: ", decide.Ask: "a person is asked: ", decide.Correct: "the broker is put right: "}
	return words[d.Action]
}

func automatics(n status.Network) string {
	switch {
	case n.Hold.On:
		return "On hold: nothing is done by itself."
	case !n.Policy.Automatic:
		return "Acting by itself is switched off (policy.automatic): you are told, and asked."
	}
	return "It repairs, starts and fails over by itself."
}

func conditionState(k health.Kind) web.LightState {
	switch k {
	case health.Healthy:
		return web.LightGood
	case health.Unproven, health.Starting, health.HostLostBridgeOnline, health.StandbyNotReady, health.ReturningExActive, health.LateLastWill, health.ClockJumped:
		return web.LightWarn
	case health.NotKnown, health.NothingOnRecord, health.ControllerIsolated, health.BrokerUnreachable:
		return web.LightUnknown
	}
	return web.LightBad
}

// questionOf is what only a person can answer, with the button that does; nil when nothing
// is asked.
func questionOf(n status.Network) *web.Question {
	if n.Decision == nil || n.Decision.Question == nil {
		return nil
	}
	q := n.Decision.Question
	return &web.Question{Text: said(n, q.Text), Fix: said(n, q.Fix), Action: answer(n, *n.Decision)}
}

// answer is the button that answers a question, shown with its plan first; the zero Action
// for what cannot be done here.
func answer(n status.Network, d status.Decision) web.Action {
	kind, node, _ := strings.Cut(d.Question.ID, " ")
	switch kind {
	case "fence", string(decide.Failover):
		if d.To == "" {
			return web.Action{}
		}
		a := web.Action{Label: "Let " + d.To + " take over …", Verb: string(desk.Failover), To: d.To, Danger: true}
		if kind == "fence" {
			a.Label = "It is unplugged: let " + d.To + " take over …"
		}
		return blockedBy(n, a)
	case string(decide.ColdStart):
		a := web.Action{Network: n.Name, Label: "Start " + node, Verb: string(desk.Start), To: node, Primary: true, OnHold: n.Hold.On}
		if n.Run != nil {
			return blockedBy(n, a)
		}
		return a
	case string(decide.Repair):
		return blockedBy(n, web.Action{Label: "Repair " + node, Verb: string(desk.Repair), To: node, Primary: true})
	case string(decide.Return):
		return blockedBy(n, web.Action{Label: "Make " + node + " a stand-by", Verb: string(desk.Return), To: node, Primary: true})
	case "cool-down", "daily":
		return acknowledgement(n)
	}
	return web.Action{}
}

func acknowledgement(n status.Network) web.Action {
	return web.Action{Network: n.Name, Label: "Acknowledge", Verb: string(desk.Acknowledge)}
}

// ifDied is what would happen if the active died now.
func ifDied(n status.Network) string {
	for _, l := range n.Coverage {
		if l.Failure != coverage.Host || n.Active == "" {
			continue
		}
		how := map[coverage.Answer]string{coverage.Yes: "Zigbee comes back by itself", coverage.ByHand: "Zigbee comes back by your hand", coverage.No: "Zigbee is gone"}[l.Survives]
		return fmt.Sprintf("If %s died now: %s. %s", n.Active, how, said(n, l.Why))
	}
	return ""
}

// risks stand over everything else.
func risks(n status.Network) []web.Notice {
	if n.Policy.AcceptRisk == "" {
		return nil
	}
	return []web.Notice{{State: web.LightBad, What: "A risk is accepted: " + n.Policy.AcceptRisk + ".",
		Details: []string{"A stand-by takes over even when nobody can prove that the old stick is silent. Two on air at once make a network that your devices do not obey."},
		Fix:     "Give each host a fence, then remove accept_risk from z2mha.yaml."}}
}
