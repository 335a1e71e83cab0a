package readiness

import (
	"cmp"
	"fmt"
	"strings"

	"z2mha/internal/failover/network"
)

// who says which nodes a question is asked of.
type who uint8

const (
	active    who = 1 << iota // the node on air
	candidate                 // the node that shall take over; every stand-by when none is named
	bystander                 // another stand-by than the one that shall take over
	standby   = candidate | bystander
	both      = active | candidate
	everybody = active | standby
)

// A question is one line of the list that a node gets.
type question struct {
	id     string
	of     who
	what   string // as a statement that should hold
	blocks bool   // no move is begun while it does not
	// ask returns false when nothing is known; then there is no such line.
	ask func(subject) (finding, bool)
}

// A subject is the node that is asked about.
type subject struct {
	in     *Input
	active string
	v      View
	o      network.Observation
}

// A finding is the answer to a question. at is that of the look when nothing else is said.
type finding struct {
	ok       bool
	warns    bool // fails without blocking, whatever the table says
	note     bool
	evidence string
	fix      string
	from     source
}

// questions are asked of each node, in this order.
//
// What blocks is what would leave a home without Zigbee, or a move without an end: the
// stand-by cannot be started, would not be the only one on air, cannot hold the network
// or cannot speak with the broker. What only keeps the fast way shut does not block:
// a planned move then reads the active's stick while Zigbee rests, and loads all of it.
// Nor does what matters only after the move, such as the next boot, or what says which
// machines fail together.
var questions = []question{
	{"privileges", both, "we may see every process", false, privileges},
	{"service", both, "the service manager knows Zigbee2MQTT", true, service},
	{"stopped", standby, "Zigbee2MQTT is stopped here", true, stopped},
	{"stick-free", standby, "nobody has the stick open", true, stickFree},
	{"autostart", candidate, "Zigbee2MQTT does not start by itself here", false, autostart},
	{"boot", active, "Zigbee2MQTT comes back after a reboot", false, comesBack},
	{"watchdog", both, "Zigbee2MQTT does not start itself again", false, watchdog},
	{"modem-manager", both, "no other program opens the stick", false, modemManager},
	{"stick-present", everybody, "the stick is there", true, stickPresent},
	{"stick-answers", candidate, "the stick answers", true, stickAnswers},
	{"hold", candidate, "the stick is silent", false, silent},
	{"firmware", candidate, "the sticks have the same firmware", true, firmware},
	{"identity", candidate, "the stick is loaded with this network", false, identity},
	{"current", candidate, "the stick is up to date", false, current},
	{"reserved", candidate, "the stick's counter is ahead of the network's", false, reserved},
	{"staged", candidate, "the latest copy of the data is there", false, staged},
	{"version", candidate, "the same Zigbee2MQTT version on both", true, version},
	{"space", both, "there is room on the disk", true, space},
	{"broker", both, "the broker answers from here", true, broker},
	{"broker-apart", both, "the broker is on another machine", false, brokerApart},
	{"controller-apart", both, "this controller is on another machine", false, controllerApart},
}

func (a *assessor) node(v View) {
	s := subject{in: &a.in, active: a.out.Active, v: v, o: *v.Observed}
	role := candidate
	switch {
	case v.Name == a.out.Active:
		role = active
	case a.in.To != "" && v.Name != a.in.To:
		role = bystander
	}
	for _, q := range questions {
		if q.of&role == 0 {
			continue
		}
		if f, known := q.ask(s); known {
			a.add(q.check(s, f))
		}
	}
}

func (q question) check(s subject, f finding) Check {
	c := Check{ID: q.id, Node: s.v.Name, What: q.what, OK: f.ok, Evidence: f.evidence, At: f.from.at(s)}
	if !f.ok {
		c.Warning, c.Note, c.Fix = !q.blocks || f.warns, f.note, f.fix
	}
	return c
}

func privileges(s subject) (finding, bool) {
	if s.o.Privileges == "" {
		return finding{ok: true, evidence: "root looked, and saw all of every process"}, true
	}
	return finding{ok: true, evidence: s.o.Privileges}, true
}

func stopped(s subject) (finding, bool) {
	o := s.o
	o.TTYHolders = nil
	if why := o.WhyNotStopped(); why != "" && (len(o.DataHolders) > 0 || len(s.o.TTYHolders) == 0) {
		return finding{evidence: why, fix: fmt.Sprintf("stop what is named on %s", s.v.Name)}, true
	}
	return finding{ok: true, evidence: "nobody uses its data"}, true
}

func stickFree(s subject) (finding, bool) {
	var who []string
	for _, p := range s.o.TTYHolders {
		who = append(who, fmt.Sprintf("%s still holds %s", p, s.o.TTY))
	}
	if len(who) > 0 {
		return finding{evidence: strings.Join(who, "; "), fix: fmt.Sprintf("stop what is named on %s", s.v.Name)}, true
	}
	return finding{ok: true, evidence: "nobody holds " + s.o.TTY}, true
}

func space(s subject) (finding, bool) {
	return finding{ok: s.o.FreeBytes >= MinFreeBytes, evidence: fmt.Sprintf("%d MB free", s.o.FreeBytes>>20),
		fix: fmt.Sprintf("free at least %d MB on %s where the data directory lies", MinFreeBytes>>20, s.v.Name)}, true
}

// version compares with the node that is active, or with the last copy when nobody is.
func version(s subject) (finding, bool) {
	first := s.in.Newest.Summary.Version
	for _, v := range s.in.Views {
		if v.Name == s.active {
			first = cmp.Or(v.Observed.Version, first)
		}
	}
	if first == "" || s.o.Version == "" {
		return finding{}, false
	}
	if s.o.Version == first {
		return finding{ok: true, evidence: first}, true
	}
	return finding{evidence: fmt.Sprintf("versions %s and %s", first, s.o.Version),
		fix: "bring both to one version: an older Zigbee2MQTT refuses the files of a newer one"}, true
}

func broker(s subject) (finding, bool) {
	b := s.o.Broker
	if b == nil {
		return finding{}, false
	}
	if b.OK {
		return finding{ok: true, evidence: fmt.Sprintf("%s answered in %d ms", b.Address, b.Took.Milliseconds())}, true
	}
	return finding{evidence: fmt.Sprintf("%s cannot be reached from here: %s", b.Address, cmp.Or(b.Why, "no answer")),
		fix: fmt.Sprintf("see that the broker runs, and that %s may reach it", s.v.Name)}, true
}
