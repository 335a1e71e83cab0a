package desk

import (
	"slices"
	"testing"
	"time"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

func TestCoverageIsShown(t *testing.T) {
	p := picture{name: "home", sight: seenAt(asked, nil), past: newPast(), nodes: []Node{{Name: "attic"}, {Name: "cellar"}}}
	n, _ := p.show(noon.Add(time.Minute))
	i := slices.IndexFunc(n.Coverage, func(l coverage.Line) bool { return l.Failure == coverage.Process })
	if i < 0 || n.Coverage[i].Survives != coverage.ByHand {
		t.Errorf("with a stand-by that is ready: %+v", n.Coverage)
	}
	if n, _ := (picture{name: "home"}).show(noon); n.Coverage != nil || n.Checks != nil {
		t.Errorf("before the first look: %+v", n.Coverage)
	}
}

// What is just good to know changes nothing in how well a network is protected.
func TestNotesDoNotDegrade(t *testing.T) {
	s := seenAt(asked)
	note := func(c readiness.Check) bool { return c.ID == "current" && c.Note }
	if !slices.ContainsFunc(s.checks(), note) {
		t.Errorf("there is no note: %+v", s.checks())
	}
	if c := s.candidates()[0]; len(c.failing) > 0 {
		t.Errorf("the stand-by has %+v", c.failing)
	}
	s = seenAt(asked)
	s.status.Known.Record.Sticks = map[string]network.StickRecord{"cellar": {Trouble: "it refused item 3"}}
	if c := s.candidates()[0]; len(c.failing) != 1 || c.failing[0].Evidence != "it refused item 3" || !c.ready() {
		t.Errorf("a stand-by that could not be kept current has %+v", c.failing)
	}
}

func TestAnswersOfSticksKeepTheirAge(t *testing.T) {
	for _, c := range seenAt(asked, nil, nil).checks() {
		if c.ID == "stick-answers" && !c.At.Equal(noon) {
			t.Errorf("what was answered at noon is from %s", c.At)
		}
		if c.ID == "space" && !c.At.Equal(noon.Add(2*time.Minute)) {
			t.Errorf("what was seen two minutes later is from %s", c.At)
		}
	}
}

func TestHoldingsAreShown(t *testing.T) {
	rec := network.Record{Sticks: map[string]network.StickRecord{"cellar": {Generation: 3}},
		Ledgers: map[string]network.StickLedger{"cellar": {Boots: 2}}, Staged: map[string]network.StagedRecord{"cellar": {Generation: 4}}}
	p := picture{name: "home", past: newPast(), nodes: []Node{{Name: "attic"}, {Name: "cellar"}},
		sight: seenAt(func(st *engine.Status) { st.Record = rec })}
	n, _ := p.show(noon)
	if x := n.Nodes[1]; x.Stick.Generation != 3 || x.Ledger.Boots != 2 || x.Staged.Generation != 4 {
		t.Errorf("shown %+v", x)
	}
	if x := n.Nodes[0]; x.Stick != (network.StickRecord{}) || x.Ledger != (status.Node{}).Ledger {
		t.Errorf("shown %+v", x)
	}
}
