package console_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"z2mha/internal/console"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// TestNamesDoNotSteerTheTerminal: colours, titles, the clipboard and the cursor are not
// for devices and hosts to set.
func TestNamesDoNotSteerTheTerminal(t *testing.T) {
	const evil = "lamp\x1b]52;c;ZXZpbA==\x07\x1b[2J\r\x9b31m\u009b1m\u202egpj.exe"
	var b bytes.Buffer
	teller := console.NewTeller(&b, true)
	step := plan.Step{Title: evil}
	for _, event := range []plan.Event{plan.EventBegin, plan.EventDone, plan.EventFailed, plan.EventWalkBack, plan.EventUndoBegin, plan.EventUndoFailed, plan.EventEnded} {
		teller.Watch(engine.Report{Event: event, Step: step, Saw: []string{evil}, Note: evil, Took: time.Second})
	}
	console.Networks(&b, []engine.Status{{Network: "home", Nodes: []engine.NodeStatus{{Name: "attic", Err: errors.New(evil)}}}})
	console.Checks(&b, readiness.Assessment{Checks: []readiness.Check{{What: evil, Evidence: evil, Fix: evil}}})
	console.Plan(&b, plan.Plan{}, []engine.Explained{{Step: step, Commands: []string{evil}}})
	if strings.ContainsAny(b.String(), "\x1b\x07\r\u009b\u202e") || bytes.Contains(b.Bytes(), []byte("m\x9b")) {
		t.Errorf("printed %q", b.String())
	}
	if n := strings.Count(b.String(), "lamp"); n < 12 {
		t.Errorf("only %d of the texts are printed: %s", n, b.String())
	}
	b.Reset()
	teller.Watch(engine.Report{What: evil, Done: 1, Total: 2})
	teller.Watch(engine.Report{Event: plan.EventEnded})
	if strings.Count(b.String(), "\x1b") != 1 || strings.Count(b.String(), "\r") != 1 {
		t.Errorf("a line of progress is not taken back as it should be: %q", b.String())
	}
}
