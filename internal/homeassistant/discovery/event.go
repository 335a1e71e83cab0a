package discovery

import (
	"slices"

	"z2mha/internal/failover/status"
)

// Event is the message for e; false when e is not shown, as those of single steps.
// It must not be retained: Home Assistant drops retained events, and rightly.
func Event(e status.Event, o Options) (Message, bool) {
	if !slices.Contains(status.EventTypes, e.Type) {
		return Message{}, false
	}
	doc := struct {
		Type     string   `json:"event_type"`
		At       *string  `json:"at"`
		Text     string   `json:"text"`
		Node     string   `json:"node,omitempty"`
		From     string   `json:"from,omitempty"`
		To       string   `json:"to,omitempty"`
		Reason   string   `json:"reason,omitempty"`
		By       string   `json:"by,omitempty"`
		Run      string   `json:"run,omitempty"`
		Duration *float64 `json:"duration,omitempty"` // seconds
		Fix      string   `json:"fix,omitempty"`
		Was      string   `json:"was,omitempty"`
		Is       string   `json:"is,omitempty"`
	}{
		Type: string(e.Type), At: timestamp(e.At), Text: line(e.Text, maxText),
		Node: name(e.Node), From: name(e.From), To: name(e.To), Reason: string(e.Cause), By: line(e.By, maxLabel),
		Run: line(e.Run, maxLabel), Fix: line(e.Fix, maxText), Was: string(e.Was), Is: string(e.Is),
	}
	if e.Duration > 0 {
		doc.Duration = ptr(seconds(e.Duration))
	}
	return Message{o.topic(e.Network, "event"), encode(doc)}, true
}
