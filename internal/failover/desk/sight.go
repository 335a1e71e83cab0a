package desk

import (
	"maps"
	"slices"
	"time"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// A sight is the last look at a network that worked, with what earlier looks saw and
// this one could not.
type sight struct {
	at     time.Time // zero before the first look
	took   time.Duration
	status engine.Status

	seen     map[string]network.Observation // last that worked, by node
	sticks   map[string]reading             // of nodes that were not seen running since
	firmware map[string]string              // of sticks that have told it

	judged judged // guarded by Desk.mu, like the sight itself
}

// judged is what a look was found to mean: it is shown far more often than it changes.
type judged map[judgedBy]verdictOf

type judgedBy struct{ to, unfinished string }

type verdictOf struct {
	assessed readiness.Assessment
	coverage []coverage.Line
}

// A reading is what a stand-by's stick said when it was asked.
type reading struct {
	at    time.Time
	state *network.StickState // nil when it did not answer
	err   error
}

// after is what is known with one look more. s is left as it is.
func (s sight) after(st engine.Status, at time.Time, took time.Duration) sight {
	out := sight{at: at, took: took, status: st, judged: judged{},
		seen: maps.Clone(s.seen), sticks: maps.Clone(s.sticks), firmware: maps.Clone(s.firmware)}
	if out.seen == nil {
		out.seen, out.sticks, out.firmware = map[string]network.Observation{}, map[string]reading{}, map[string]string{}
	}
	for _, v := range st.Views {
		out.view(v, at)
	}
	return out
}

func (s *sight) view(v readiness.View, at time.Time) {
	if v.Observed != nil {
		if outdated(s.seen[v.Name], *v.Observed) {
			delete(s.sticks, v.Name)
		}
		s.seen[v.Name] = *v.Observed
	}
	switch {
	case v.Stick != nil:
		s.sticks[v.Name] = reading{at: at, state: v.Stick}
		s.firmware[v.Name] = v.Stick.Stick.String()
	case v.StickErr != nil:
		s.sticks[v.Name] = reading{at: at, err: v.StickErr}
	}
}

// outdated says that what a stick once said holds no longer: somebody drives it, it
// is gone, or its host was started anew.
func outdated(was, is network.Observation) bool {
	return (is.Runs() && !is.OnlyOurs()) || !is.TTYPresent || was.HostID != is.HostID
}

// assess judges the last look with the sticks' earlier answers in it. to may be "".
func (s sight) assess(to string) readiness.Assessment { return s.judge(to).assessed }

// judge does it once for each question. What it returns is shared, and not to be changed.
func (s sight) judge(to string) verdictOf {
	by := judgedBy{to, s.status.Unfinished}
	v, done := s.judged[by]
	if !done {
		in := s.input(to)
		v = verdictOf{assessed: readiness.Assess(in)}
		v.assessed.Checks = slices.Clip(v.assessed.Checks)
		if to == "" {
			v.coverage = slices.Clip(coverage.Of(in))
		}
		if s.judged != nil {
			s.judged[by] = v
		}
	}
	return v
}

// checks are those of the last look, with what the sticks said before it.
func (s sight) checks() []readiness.Check { return s.assess("").Checks }

const (
	checkUnfinished = "unfinished"
	checkInterview  = "interview"
)

// A candidate is a stand-by with what speaks against its taking over now.
type candidate struct {
	node    string
	failing []readiness.Check
}

// takes says that a move there would not be refused, and ready that it could be made
// as soon as no device is being interviewed any more: that alone leaves nobody
// unprotected.
func (c candidate) takes() bool { return !slices.ContainsFunc(c.failing, readiness.Check.Blocks) }

func (c candidate) ready() bool {
	return !slices.ContainsFunc(c.failing, func(x readiness.Check) bool { return x.Blocks() && x.ID != checkInterview })
}

// candidates are all nodes but the active one.
func (s sight) candidates() []candidate {
	var out []candidate
	for _, v := range s.status.Views {
		if v.Name != s.status.Active {
			out = append(out, candidate{v.Name, failing(s.assess(v.Name).Checks)})
		}
	}
	return out
}

func failing(checks []readiness.Check) []readiness.Check {
	var out []readiness.Check
	for _, c := range checks {
		if !c.OK && !c.Note && c.ID != checkUnfinished {
			out = append(out, c)
		}
	}
	return out
}

// speakers are the nodes that run Zigbee2MQTT.
func (s sight) speakers() []string {
	var out []string
	for _, v := range s.status.Views {
		if v.Observed != nil && v.Observed.Runs() && !v.Observed.OnlyOurs() {
			out = append(out, v.Name)
		}
	}
	return out
}
