package desk

import (
	"time"

	"z2mha/internal/failover/health"
)

// evidence is what is known of a network. d.mu is held.
func (d *Desk) evidence(f *dossier, now time.Time) health.Input {
	st := f.sight.status
	in := health.Input{Now: now, Network: f.name, Recorded: st.Record.Active, Since: st.Record.Since}
	for _, v := range st.Views {
		n := health.Node{Name: v.Name, Looked: f.sight.at, Silent: st.Record.Silent[v.Name]}
		if o, ok := f.sight.seen[v.Name]; ok {
			n.Seen = &o
		}
		if v.Err != nil {
			n.Failed = v.Err.Error()
		}
		in.Nodes = append(in.Nodes, n)
	}
	return in
}
