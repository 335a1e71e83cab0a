package znpsim

import (
	"slices"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// A Record is what the medium has seen. Identities carry the key's fingerprint only.
type Record struct {
	OnAir              []Span         `json:"on_air"`
	DualActive         []Overlap      `json:"dual_active"`         // two coordinators of one network at once
	CounterRegressions []Regression   `json:"counter_regressions"` // a coordinator came up at or below a counter that was on air
	Formed             []Formation    `json:"formed"`              // networks that a stick formed, not resumed
	ReplaysDropped     int            `json:"replays_dropped"`     // frames that a device took for replays
	ReplaysBy          map[string]int `json:"replays_by"`          // the same by device
	ForeignIgnored     int            `json:"foreign_ignored"`     // frames under another key, extended PAN id or address
	Rejoins            int            `json:"rejoins"`             // secure rejoins of sleepy children
	RejoinsBy          map[string]int `json:"rejoins_by"`
	Joins              int            `json:"joins"`        // associations with key transport, that is pairings
	DeliveredTo        map[string]int `json:"delivered_to"` // frames of devices that a stick handed to its host, by stick
}

// A Span is a stretch of time during which a stick was a coordinator on air. To is
// zero while it is.
type Span struct {
	Dongle   string              `json:"dongle"`
	Identity zigbee.Identity     `json:"identity"`
	From     time.Time           `json:"from"`
	To       time.Time           `json:"to,omitzero"`
	First    zigbee.FrameCounter `json:"first_counter"`
}

// An Overlap is a violation: both sticks spoke as coordinators of one network.
type Overlap struct {
	Dongles  [2]string       `json:"dongles"`
	Identity zigbee.Identity `json:"identity"`
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to,omitzero"`
}

// A Regression is a violation: First is not above Highest, which was on air before
// under the same address and key, so that devices drop what the stick sends.
type Regression struct {
	Dongle  string              `json:"dongle"`
	At      time.Time           `json:"at"`
	First   zigbee.FrameCounter `json:"first"`
	Highest zigbee.FrameCounter `json:"highest"`
}

// A Formation is a network that came into being.
type Formation struct {
	Dongle   string          `json:"dongle"`
	Identity zigbee.Identity `json:"identity"`
	At       time.Time       `json:"at"`
}

// Record returns a copy of what happened so far.
func (m *Medium) Record() Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.record
	r.OnAir = slices.Clone(r.OnAir)
	r.DualActive = slices.Clone(r.DualActive)
	r.CounterRegressions = slices.Clone(r.CounterRegressions)
	r.Formed = slices.Clone(r.Formed)
	r.ReplaysBy = copyCounts(r.ReplaysBy)
	r.RejoinsBy = copyCounts(r.RejoinsBy)
	r.DeliveredTo = copyCounts(r.DeliveredTo)
	return r
}

func copyCounts(in map[string]int) map[string]int {
	out := make(map[string]int, len(in))
	for k, n := range in {
		out[k] = n
	}
	return out
}

// A voice is whose frame counters devices remember: a source address under a key.
type voice struct {
	ieee zigbee.IEEE
	key  zigbee.Key
	seq  uint8
}

func voiceOf(id zigbee.Identity) voice { return voice{ieee: id.IEEE, key: id.Key, seq: id.KeySeq} }

// sameNetwork says that two coordinators would speak over one another.
func sameNetwork(a, b zigbee.Identity) bool { return a.PanID == b.PanID && a.ExtPanID == b.ExtPanID }

// enter opens a span for a stick that goes on air and notes what is wrong with that.
func (m *Medium) enter(d *Dongle, first zigbee.FrameCounter) {
	now := time.Now()
	id := d.net.id
	if highest, heard := m.highest[voiceOf(id)]; heard && first <= highest {
		m.record.CounterRegressions = append(m.record.CounterRegressions, Regression{Dongle: d.o.Name, At: now, First: first, Highest: highest})
	}
	for _, other := range m.dongles {
		if other != d && other.onAir() && sameNetwork(other.net.id, id) {
			m.record.DualActive = append(m.record.DualActive, Overlap{Dongles: [2]string{other.o.Name, d.o.Name}, Identity: id, From: now})
		}
	}
	m.record.OnAir = append(m.record.OnAir, Span{Dongle: d.o.Name, Identity: id, From: now, First: first})
}

// leave closes the spans of a stick that falls silent.
func (m *Medium) leave(d *Dongle) {
	now := time.Now()
	for i := range m.record.OnAir {
		if s := &m.record.OnAir[i]; s.Dongle == d.o.Name && s.To.IsZero() {
			s.To = now
		}
	}
	for i := range m.record.DualActive {
		if o := &m.record.DualActive[i]; slices.Contains(o.Dongles[:], d.o.Name) && o.To.IsZero() {
			o.To = now
		}
	}
}

// heard notes a counter that went over the air.
func (m *Medium) heard(id zigbee.Identity, c zigbee.FrameCounter) {
	if v := voiceOf(id); c > m.highest[v] {
		m.highest[v] = c
	}
}
