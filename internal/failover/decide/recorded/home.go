package recorded

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
)

// A home is the input as it grows.
type home struct{ in decide.Input }

// start is when every case begins.
var start = time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)

// healthy is the home that every case begins with.
const healthy = `
controller: started 3h
broker: connected 3h
bridge: online 3h, spoke 60s as attic, asked 60s
radio: heard 5s, devices 4
record: active attic 12d
node attic: new, runs, looked 4s
node cellar: new, stopped, looked 4s, silent 2h, stick HOLD 2h
standby cellar: ready, warm, generation 12, age 4m`

func newHome() *home {
	h := &home{in: decide.Input{Policy: decide.DefaultPolicy}}
	h.in.Health.Now, h.in.Health.Network = start, "home"
	for line := range strings.Lines(healthy) {
		if err := h.read(strings.TrimSpace(line)); err != nil {
			panic(err)
		}
	}
	return h
}

// snapshot is the input so far, sharing nothing.
func (h *home) snapshot() (in decide.Input) {
	data, err := json.Marshal(h.in)
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err != nil {
		panic(err)
	}
	return in
}

// ago is a point in time by its age.
func (h *home) ago(d time.Duration) time.Time { return h.in.Health.Now.Add(-d) }

func (h *home) read(line string) error {
	if span, ok := strings.CutPrefix(line, "after "); ok {
		d, err := duration(strings.TrimSpace(span))
		if err != nil {
			return fmt.Errorf("%q: say after how long, such as \"after 5s\"", line)
		}
		h.pass(d)
		return nil
	}
	if strings.TrimSpace(line) == "" {
		return nil
	}
	subject, name, clauses, err := sentence(line)
	if err != nil {
		return err
	}
	for _, words := range clauses {
		if err := h.say(subject, name, words); err != nil {
			return err
		}
	}
	return nil
}

// pass lets time go by: every node is looked at again and is as it was.
func (h *home) pass(d time.Duration) {
	h.in.Health.Now = h.in.Health.Now.Add(d)
	for i := range h.in.Health.Nodes {
		n := &h.in.Health.Nodes[i]
		if n.Looked.IsZero() {
			continue
		}
		n.Looked = n.Looked.Add(d)
		if n.Failed == "" {
			seen := *n.Seen
			seen.At = n.Looked
			n.Seen = &seen
		}
	}
}

func (h *home) say(subject, name string, words []string) error {
	known, ok := grammar[subject]
	if !ok {
		return fmt.Errorf("%q is no subject; known are %s", subject, strings.Join(slices.Sorted(maps.Keys(grammar)), ", "))
	}
	if named := subject == "node" || subject == "standby"; named != (name != "") {
		return fmt.Errorf("%q: a name follows node and standby, and nothing else", subject+" "+name)
	}
	if subject == "node" && !slices.Equal(words, []string{"new"}) && h.node(name) == nil {
		return fmt.Errorf("there is no node %s; say \"node %s: new\" first", name, name)
	}
	var patterns []string
	for _, c := range known {
		if a, ok := match(c.pattern, words); ok {
			a.name = name
			c.do(h, a)
			return nil
		}
		patterns = append(patterns, c.pattern)
	}
	return fmt.Errorf("%s: %q is not known; known are: %s", subject, strings.Join(words, " "), strings.Join(patterns, ", "))
}

func (h *home) node(name string) *health.Node {
	for i := range h.in.Health.Nodes {
		if h.in.Health.Nodes[i].Name == name {
			return &h.in.Health.Nodes[i]
		}
	}
	return nil
}

func (h *home) standby(name string) *decide.Standby {
	for i := range h.in.Standbys {
		if h.in.Standbys[i].Node == name {
			return &h.in.Standbys[i]
		}
	}
	h.in.Standbys = append(h.in.Standbys, decide.Standby{Node: name})
	return &h.in.Standbys[len(h.in.Standbys)-1]
}

// see sets what a look has shown.
func (h *home) see(name string, service network.ServiceState, tty, data []network.Process) {
	n := h.node(name)
	seen := network.Observation{Node: name, TTY: "/dev/ttyA", TTYPresent: true, DataExists: true}
	if n.Seen != nil {
		seen = *n.Seen
	}
	if n.Failed != "" || n.Looked.IsZero() {
		n.Looked = h.ago(4 * time.Second)
	}
	n.Failed, n.FailingSince = "", time.Time{}
	seen.At, seen.Service, seen.TTYHolders, seen.DataHolders = n.Looked, service, tty, data
	n.Seen = &seen
}
