package storybook

import (
	"time"

	"z2mha/web"
)

func runs() []Story {
	return []Story{
		inRun("run-dark", going()),
		inRun("run-begun", begun()),
		inRun("run-turning-back", turning()),
		inRun("run-completed", completed()),
		inRun("run-taken-back", takenBack()),
		inRun("run-needs-help", needsHelp()),
	}
}

func inRun(name string, r web.Run) Story {
	n := Home()
	n.Run = &r
	if r.Ended.IsZero() {
		n.Heading, n.Tone = "Busy: a plan is being carried out.", web.ToneActing
		for i := range n.Actions {
			n.Actions[i].Disabled, n.Actions[i].Primary = true, false
		}
		n.Actions[0].Why = "a plan is being carried out."
	}
	if r.State == web.RunNeedsHelp {
		alone(&n, r)
	}
	return overview(name, web.Overview{CanAct: true, Networks: []web.Network{n}})
}

// alone is the network n when nobody is active after the run r.
func alone(n *web.Network, r web.Run) {
	n.Heading, n.Tone = "Not protected: no stand-by could take over now.", web.ToneUnprotected
	n.Reasons = []web.Reason{{What: r.Result, Fix: "Make all hosts reachable; it is tried again every 5 minutes."}}
	n.Facts[0] = web.Fact{Label: "Active node", Text: "nobody, or it cannot be told"}
	n.Actions = append([]web.Action{{Label: "Start attic again", Verb: "start", Network: "home", To: "attic", Primary: true}}, n.Actions[1:]...)
	n.Checks[0] = web.Check{State: web.LightBad, What: "No node runs Zigbee2MQTT",
		Fix: "Start Zigbee2MQTT on the node that was active last (on record: attic), then try again."}
	n.Checks[1] = web.Check{State: web.LightBad, Node: "attic", What: "/dev/ttyUSB0 does not exist",
		Fix: "Plug the stick of attic in, or correct `dongle` in the configuration."}
	x := &n.Nodes[0]
	x.Role, x.State, x.Serving = "Not known", web.LightUnknown, false
	x.Service = web.Light{State: web.LightBad, Text: "stopped", Evidence: "systemd says stopped; nobody holds its stick or data", At: ago(12 * time.Second)}
	x.Dongle = web.Light{State: web.LightBad, Text: "missing", Evidence: "/dev/ttyUSB0 does not exist", At: ago(12 * time.Second)}
	x.Radio = web.Light{State: web.LightUnknown, Text: "not known", Evidence: "its stick was not asked since Zigbee2MQTT stopped"}
	x.Actions = nil
	n.Nodes[1].Actions = nil
}

func begun() web.Run {
	r := going()
	r.DarkSince, r.Progress = time.Time{}, web.Progress{}
	for i := range r.Steps {
		r.Steps[i] = web.RunStep{Title: r.Steps[i].Title, Node: r.Steps[i].Node, Dark: r.Steps[i].Dark, State: web.StepWaiting}
	}
	r.Steps[0].State, r.Steps[0].Began = web.StepRunning, ago(time.Second)
	return r
}

// going is a switchover in the middle of its dark part.
func going() web.Run {
	return web.Run{
		ID: "20261122-175940-switchover", Title: "Moving the network from attic to cellar", State: web.RunGoing,
		By: "Owner on the page", Began: ago(20 * time.Second), DarkSince: ago(12 * time.Second),
		Progress: web.Progress{What: "writing NV item 0x0021", Done: 61, Total: 148},
		Steps: []web.RunStep{
			{Title: "Look at all nodes afresh", State: web.StepDone, Took: "1.1 s", Saw: []string{"attic is active, cellar is stopped", "nothing stands in the way"}},
			{Title: "Make sure the stick of cellar is silent", Node: "cellar", State: web.StepDone, Took: "0.6 s", Saw: []string{"state HOLD, read from the stick"}},
			{Title: "Copy the data of attic", Node: "attic", State: web.StepDone, Took: "2.3 s", Saw: []string{"4 files, 212 kB, copy 219"}},
			{Title: "Stop Zigbee2MQTT on attic", Node: "attic", State: web.StepDone, Dark: true, Took: "3.9 s", Saw: []string{"node (pid 812) has ended", "/dev/ttyUSB0 is free"}},
			{Title: "Silence the radio of attic", Node: "attic", State: web.StepDone, Dark: true, Took: "0.9 s", Saw: []string{"the stick was reset and says HOLD"}},
			{Title: "Write the network onto the stick of cellar", Node: "cellar", State: web.StepRunning, Dark: true, Began: ago(4 * time.Second)},
			{Title: "Start Zigbee2MQTT on cellar", Node: "cellar", State: web.StepWaiting, Dark: true},
			{Title: "See that devices answer", Node: "cellar", State: web.StepWaiting},
			{Title: "Record cellar as the active node", Node: "cellar", State: web.StepWaiting},
		},
	}
}

func turning() web.Run {
	r := going()
	r.State, r.Turning = web.RunTurning, "the stick of cellar refused item 0x0021 (status 0x0a)"
	r.Progress = web.Progress{}
	r.Steps[5] = web.RunStep{Title: r.Steps[5].Title, Node: "cellar", State: web.StepUndone, Dark: true, Took: "5.0 s", Note: "status 0x0a from the stick", Saw: []string{"the stick has its old memory again"}}
	r.Steps[4].State, r.Steps[4].Began = web.StepUndoing, ago(time.Second)
	return r
}

func ended(state web.RunState, result string) web.Run {
	r := going()
	r.State, r.Result, r.Ended, r.Took, r.Outage = state, result, ago(3*time.Minute), "41 s", "14 s"
	r.DarkSince, r.Progress = time.Time{}, web.Progress{}
	for i := range r.Steps {
		r.Steps[i].State, r.Steps[i].Began = web.StepDone, time.Time{}
		if r.Steps[i].Took == "" {
			r.Steps[i].Took = "4.2 s"
		}
	}
	return r
}

func completed() web.Run {
	return ended(web.RunCompleted, "cellar is active now, and 3 of 3 asked devices answered.")
}

func takenBack() web.Run {
	r := ended(web.RunTakenBack, "Everything is as it was before: attic is active. The stick of cellar refused item 0x0021.")
	r.Steps[4].State, r.Steps[5].State, r.Steps[5].Note = web.StepUndone, web.StepFailed, "status 0x0a from the stick"
	for i := range r.Steps[6:] {
		r.Steps[6+i] = web.RunStep{Title: r.Steps[6+i].Title, Node: "cellar", State: web.StepWaiting}
	}
	return r
}

func needsHelp() web.Run {
	r := ended(web.RunNeedsHelp, "attic could not be started again: its stick is not there any more. Plug it in, then start the node.")
	r.Outage = ""
	r.DarkSince = ago(3 * time.Minute)
	r.Steps[4].State, r.Steps[4].Note = web.StepFailed, "/dev/ttyUSB0 does not exist"
	return r
}
