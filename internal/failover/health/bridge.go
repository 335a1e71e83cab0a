package health

import (
	"fmt"
	"time"
)

// A tone is what Zigbee2MQTT's words over MQTT come to.
type tone int

const (
	unheard tone = iota // it has never said anything
	online              // it serves, as far as it says
	offline             // it said that it does not, or the broker said so for it
	silent              // it owes an answer
	unclear             // it said "offline", or owes an answer, and was heard after that
)

// A voice is what Zigbee2MQTT says over MQTT. It carries no name, but for the mark in
// bridge/info: whose voice it is, SSH says better.
type voice struct {
	tone tone
	last time.Time // the last fresh word: of itself or of a device
	now  time.Time
	says string // in a sentence with its age
}

func (v voice) speaks() bool { return v.tone == online || v.tone == unclear }

// lately says that the last word is not long past.
func (v voice) lately() bool { return Within(v.now, v.last, Fresh) }

func listen(in Input) voice {
	b, v := in.Bridge, voice{now: in.Now, last: later(in.Bridge.Spoke, in.Radio.Heard)}
	if b.Online && !b.Kept {
		v.last = later(v.last, b.At)
	}
	v.tone, v.says = v.hear(in)
	return v
}

func (v voice) hear(in Input) (tone, string) {
	b := in.Bridge
	owes, said := !b.Unanswered.IsZero(), !b.At.IsZero() && !b.Online
	owesLong := owes && !after(v.last, b.Unanswered) && Age(in.Now, b.Unanswered) >= Patience
	unanswered := fmt.Sprintf("Zigbee2MQTT has not answered over MQTT %s, last asked %s", For(in.Now, b.Unanswered), Ago(in.Now, b.Asked))
	switch {
	case owesLong && (!said || after(v.last, b.At)):
		return silent, unanswered
	case said && after(v.last, b.At):
		return unclear, fmt.Sprintf("the broker says \"offline\", heard %s, and Zigbee2MQTT was heard after that, %s", Ago(in.Now, b.At), Ago(in.Now, v.last))
	case said:
		return offline, fmt.Sprintf("Zigbee2MQTT is offline, by its own word or the broker's, heard %s", Ago(in.Now, b.At)) + kept(b)
	case owes && after(v.last, b.Unanswered):
		return unclear, fmt.Sprintf("Zigbee2MQTT has not answered %s, and a device was heard through it %s", For(in.Now, b.Unanswered), Ago(in.Now, v.last))
	case !b.At.IsZero() || !v.last.IsZero():
		return online, "Zigbee2MQTT is online, last heard " + Ago(in.Now, later(v.last, b.At)) + kept(b)
	}
	return unheard, "nothing was heard of Zigbee2MQTT over MQTT yet"
}

// kept says that a word may be an old one.
func kept(b Bridge) string {
	if b.Kept && !after(b.Spoke, b.At) {
		return " (the broker had kept that)"
	}
	return ""
}
