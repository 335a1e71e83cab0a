package dash

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

// lookTime is how long a preview may look at the hosts.
const lookTime = 2 * time.Minute

// preview shows what would happen and asks. Nothing is changed.
func (s *Server) preview(c echo.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), lookTime)
	defer cancel()
	p, err := s.cfg.Desk.Preview(ctx, a.Request)
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, withSeen(fingerprint(p), web.PreviewDialog(previewOf(p, s.networkOf(a)))))
}

// asked is what a form asks for, by somebody who may.
func (s *Server) asked(c echo.Context) (asked, error) {
	form, err := formOf(c)
	if err != nil {
		return asked{}, err
	}
	v := s.visitorOf(c.Request())
	if err := v.mayAct(); err != nil {
		s.log.Info("request of somebody who may not act", "user", v.name, "verb", short(form.Get("verb")), "network", short(form.Get("network")))
		return asked{}, err
	}
	return askedOf(form, s.cfg.Desk.Networks(), v.by())
}

func (s *Server) networkOf(a asked) status.Network {
	networks := s.cfg.Desk.Networks()
	i := slices.IndexFunc(networks, func(n status.Network) bool { return n.Name == a.Network })
	if i < 0 {
		return status.Network{Name: a.Network}
	}
	return networks[i]
}

// fingerprint tells whether two previews are of the same plan: what is done, where, in
// which order. When it was made and how long it may take do not count.
func fingerprint(p desk.Preview) string {
	what := []any{p.Request.Network, p.Request.Verb, p.Request.To, p.Plan.Kind, p.Plan.From, p.Plan.To, p.Plan.Others, p.Plan.Accept,
		p.Request.Generation, p.Plan.Generation, p.Request.DespiteHold, p.Why}
	for _, step := range p.Plan.Steps {
		what = append(what, step.ID)
	}
	b, err := json.Marshal(what)
	if err != nil {
		panic(fmt.Sprintf("dash: fingerprint of a plan: %v", err)) // texts, numbers and booleans only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// withSeen makes every form in component send the field "seen" with print.
func withSeen(print string, component templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		values := html.EscapeString(`{"seen":"` + print + `"}`)
		if _, err := fmt.Fprintf(w, `<div hx-vals="%s">`, values); err != nil {
			return err
		}
		if err := component.Render(ctx, w); err != nil {
			return err
		}
		_, err := io.WriteString(w, "</div>")
		return err
	})
}

// previewOf words p for a person; n is the network as it was seen last.
func previewOf(p desk.Preview, n status.Network) web.Preview {
	v := web.Preview{
		Interruption: noticed(p), Dark: !p.Interruption.None,
		Confirm: web.Confirm{Network: p.Request.Network, Verb: string(p.Request.Verb), To: p.Request.To, Copy: p.Request.Generation, OnHold: p.Request.DespiteHold},
	}
	for _, x := range p.Steps {
		v.Steps = append(v.Steps, web.PlanStep{Title: capital(x.Step.Title), Check: x.Step.Check, Dark: x.Step.Dark, Commands: x.Commands})
	}
	wording(p, n, &v)
	return v
}

// wording is title, sentences and button for each verb.
func wording(p desk.Preview, n status.Network, v *web.Preview) {
	name := cmp.Or(p.Request.Network, n.Name)
	switch p.Request.Verb {
	case desk.Switchover:
		v.Title = fmt.Sprintf("Move the network to %s?", p.Plan.To)
		v.Sentences = []string{
			fmt.Sprintf("%s is stopped and its stick made silent, then %s goes on with the same network. No device is paired again.", p.Plan.From, p.Plan.To),
			fmt.Sprintf("Each step is checked before the next one. If one fails before %s is proven to work, %s is brought back.", p.Plan.To, p.Plan.From),
		}
		v.Confirm.Label = "Move the network"
	case desk.Sync:
		v.Title = "Copy the latest data to the stand-bys?"
		v.Sentences = []string{fmt.Sprintf("The data of %s is copied while it goes on working. What a stand-by had is kept.", p.Plan.From)}
		v.Confirm.Label = "Sync now"
	case desk.Stop:
		v.Title = fmt.Sprintf("Stop Zigbee2MQTT on %s?", p.Request.To)
		v.Sentences = []string{fmt.Sprintf("Zigbee2MQTT on %s is stopped and its stick made silent. Nothing starts it again by itself.", p.Request.To)}
		v.Confirm.Label, v.Confirm.Word, v.Confirm.Danger = "Stop "+p.Request.To, p.Request.To, true
	case desk.Start:
		v.Title = fmt.Sprintf("Start %s again?", p.Plan.To)
		v.Sentences = []string{fmt.Sprintf("%s was active last. It is started with its own data and stick, after all others were proven silent.", p.Plan.To)}
		if p.Request.DespiteHold {
			v.Sentences = append(v.Sentences, "The network stays on hold: nothing else is done until you release it.")
		}
		v.Confirm.Label = "Start " + p.Plan.To
	case desk.Repair:
		v.Title = fmt.Sprintf("Repair %s where it is?", p.Plan.From)
		v.Sentences = []string{
			fmt.Sprintf("Zigbee2MQTT on %s is ended, also when it hangs, its stick is reset, and it is started again. No data is moved.", p.Plan.From),
			fmt.Sprintf("If %s does not work again it ends silent, so that another host may take over.", p.Plan.From),
		}
		v.Confirm.Label, v.Confirm.Danger = "Repair "+p.Plan.From, true
	case desk.Return:
		v.Title = fmt.Sprintf("Make %s a stand-by?", p.Plan.From)
		v.Sentences = []string{
			fmt.Sprintf("What runs on %s is stopped and its stick made silent; then it gets what the network is now. What is on it is kept.", p.Plan.From),
			fmt.Sprintf("%s goes on. It is restarted only if the stick of %s has used higher frame counters.", capital(p.Plan.To), p.Plan.From),
		}
		v.Confirm.Label = "Make it a stand-by"
	case desk.Acknowledge:
		v.Title = "Acknowledge the last failover?"
		v.Sentences = []string{
			"You have seen what broke, and it is dealt with.",
			"From now on the controller may make another failover by itself at once, when one is needed. Otherwise it waits until the cool-down is over.",
		}
		v.Confirm.Label = "Acknowledge"
	case desk.Seed:
		v.Title = "Make the stand-bys ready?"
		v.Sentences = []string{
			fmt.Sprintf("Zigbee2MQTT on %s is stopped once, its stick is read whole, and it is started again. The stick of %s is loaded with that afterwards, while Zigbee works.",
				p.Plan.From, strings.Join(p.Plan.Others, " and ")),
			"This is needed once. From then on the stand-bys are kept ready without any interruption. What their sticks held is kept.",
			fmt.Sprintf("If a step fails before %s is proven to work again, it is started as it was.", p.Plan.From),
		}
		v.Confirm.Label = "Make ready"
	case desk.Failover:
		failoverWords(p, n, v)
	case desk.Accept:
		v.Title = fmt.Sprintf("Accept copy %d?", p.Request.Generation)
		v.Sentences = []string{
			"It was refused, since it tells of another network than the last good copy, or of less. Accept it only if that is what you wanted: devices that you removed, another channel that you chose.",
			"From then on it is what the network is, and it is brought to the stand-bys.",
		}
		for _, why := range p.Why {
			v.Reasons = append(v.Reasons, sentence(why))
		}
		v.Confirm.Label = fmt.Sprintf("Accept copy %d", p.Request.Generation)
		v.Confirm.Word, v.Confirm.Danger = acceptWord(p.Request.Generation), true
	case desk.Hold:
		v.Title = fmt.Sprintf("Put the network %s on hold?", name)
		v.Sentences = []string{"It is still watched and you are told what happens, but nothing is done until you release it."}
		v.Confirm.Label = "Hold"
	case desk.Release:
		v.Title = fmt.Sprintf("Release the network %s?", name)
		v.Sentences = []string{"Actions are possible again from now on."}
		v.Confirm.Label = "Release"
	}
}

// failoverWords say what is lost and what a person must see to.
func failoverWords(p desk.Preview, n status.Network, v *web.Preview) {
	from, to := p.Plan.From, p.Plan.To
	v.Title = fmt.Sprintf("Let %s take over from %s?", to, from)
	last := fmt.Sprintf("the last good copy, number %d", p.Plan.Generation)
	if !n.LastSync.IsZero() && !n.At.IsZero() && n.Generation == p.Plan.Generation && n.At.Sub(n.LastSync) >= time.Second {
		last += fmt.Sprintf(", %s old", span(n.At.Sub(n.LastSync)))
	}
	v.Sentences = []string{fmt.Sprintf("%s cannot serve. %s goes on with %s. No device has to be paired again, unless it joined after that copy.", from, capital(to), last)}
	if p.NeedsWord {
		v.Sentences = append(v.Sentences,
			fmt.Sprintf("Nobody can ask the stick of %s whether it is silent. Unplug it, or cut the power of its host, and leave it so until the host was looked at: two coordinators on air would ruin the network.", from))
		v.Confirm.Word, v.Confirm.Danger = unplugged, true
	} else {
		v.Sentences = append(v.Sentences, fmt.Sprintf("What still runs on %s is stopped, and its stick made silent first.", from))
	}
	v.Sentences = append(v.Sentences, fmt.Sprintf("If a step fails, your home stays without Zigbee until somebody starts %s or tries again.", from))
	v.Confirm.Label = "Let " + to + " take over"
}

// noticed is what the home notices. A start and a failover begin in the dark.
func noticed(p desk.Preview) string {
	if p.Request.Verb == desk.Failover {
		return fmt.Sprintf("Your home has no Zigbee now, or soon. It is back once %s is proven to work, about %s from now.", p.Plan.To, span(p.Interruption.Expected))
	}
	if p.Request.Verb == desk.Start {
		return "Your home has no Zigbee now. It is back once the last step but one is done, about a minute from now."
	}
	return interruption(p.Interruption)
}

// wholeMinutes rounds a limit up: nobody waits by the second for it.
func wholeMinutes(d time.Duration) time.Duration {
	return (d + time.Minute - 1).Truncate(time.Minute)
}

// interruption is how long the home has no Zigbee, and how that is known.
func interruption(i desk.Interruption) string {
	switch {
	case i.None:
		return "Zigbee goes on working all the time."
	case i.Forever:
		return "Your home has no Zigbee from then on, until somebody starts a node again."
	case i.Expected <= 0 && i.AtMost <= 0:
		return "Your home has no Zigbee for a while; how long cannot be said."
	case i.Expected <= 0:
		return fmt.Sprintf("Your home has no Zigbee for a while: at most %s, then it is taken back.", span(wholeMinutes(i.AtMost)))
	}
	known := "an estimate"
	if i.Measured {
		known = "as long as last time"
	}
	s := fmt.Sprintf("Your home has no Zigbee for about %s (%s)", span(i.Expected), known)
	if i.AtMost > i.Expected {
		s += fmt.Sprintf("; at most %s, should every step hang until it is given up", span(wholeMinutes(i.AtMost)))
	}
	return s + "."
}
