package readiness

import (
	"fmt"
	"strings"
)

// Fencing is how a node is silenced whose host cannot be asked any more.
type Fencing struct {
	// Fences are, by node, what can cut its power, in words.
	Fences map[string][]string
	// ByPerson are the nodes of which it was accepted that only a person can cut their power.
	ByPerson map[string]bool
	// Automatic says that the network is moved without being asked, and AcceptRisk that this
	// goes on although nobody can prove the old node silent.
	Automatic  bool
	AcceptRisk bool
}

// fenced asks whether the active could be silenced if its host were lost. Where nobody acts
// without being asked, a person is there anyway.
func (a *assessor) fenced() {
	node := a.out.Active
	if node == "" || !a.in.Automatic {
		return
	}
	c := Check{ID: "fence", Node: node, What: "it can be silenced when its host is lost", At: a.in.Now}
	names := a.in.Fences[node]
	switch {
	case a.in.AcceptRisk:
		c.Warning, c.Note = true, true
		c.Evidence = "it was accepted that two coordinators may speak at once: a failover does not wait for proof that " + node + " is silent"
		c.Fix = "remove accept_risk from the configuration"
	case len(names) > 0:
		c.OK, c.Evidence = true, strings.Join(names, ", ")
	case a.in.ByPerson[node]:
		c.Warning, c.Note = true, true
		c.Evidence = fmt.Sprintf("when the host of %s is lost, only a person can make sure that its stick is silent; that was accepted", node)
		c.Fix = addFence(node)
	default:
		c.Warning = true
		c.Evidence = fmt.Sprintf("when the host of %s is lost, nothing can make sure that its stick is silent: the network waits for a person", node)
		c.Fix = addFence(node) + ", or accept it there with kind: person"
	}
	a.add(c)
}

func addFence(node string) string {
	return fmt.Sprintf("give %s something that cuts its power, with fence: in the configuration", node)
}
