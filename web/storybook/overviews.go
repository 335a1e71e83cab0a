package storybook

import (
	"slices"
	"time"

	"z2mha/web"
)

func overviews() []Story {
	return []Story{
		overview("overview-empty", web.Overview{CanAct: true}),
		overview("overview-unread", web.Overview{CanAct: true, Notices: []web.Notice{
			{State: web.LightBad, What: "The Supervisor knows no MQTT broker: install the Mosquitto broker add-on and start it, or write a broker into the option mqtt."},
		}}),
		overview("overview-first-look", web.Overview{CanAct: true, Networks: []web.Network{firstLook()}}),
		overview("overview-protected", web.Overview{CanAct: true, Networks: []web.Network{Home()}}),
		overview("overview-read-only", web.Overview{Notices: []web.Notice{web.NoticeReadOnly}, Networks: []web.Network{Home()}}),
		overview("overview-degraded", web.Overview{CanAct: true, Networks: []web.Network{degraded()}}),
		overview("overview-unprotected", web.Overview{CanAct: true, Networks: []web.Network{unprotected()}}),
		overview("overview-lost", web.Overview{CanAct: true, Networks: []web.Network{lost()}}),
		overview("overview-question", web.Overview{CanAct: true, Networks: []web.Network{Asked()}}),
		overview("overview-question-read-only", web.Overview{Notices: []web.Notice{web.NoticeReadOnly}, Networks: []web.Network{Asked()}}),
		overview("overview-start-on-hold", web.Overview{CanAct: true, Networks: []web.Network{StartOnHeld()}}),
		overview("overview-taken-over", web.Overview{CanAct: true, Networks: []web.Network{TakenOver()}}),
		overview("overview-risk", web.Overview{CanAct: true, Networks: []web.Network{risky()}}),
		overview("overview-held", web.Overview{CanAct: true, Networks: []web.Network{onHold()}}),
		overview("overview-two-networks", web.Overview{CanAct: true, Networks: []web.Network{Home(), garden()}}),
		overview("overview-notices", web.Overview{Notices: notices(), Networks: []web.Network{Home()}}),
		overview("overview-hostile", web.Overview{CanAct: true, Notices: []web.Notice{{State: web.LightBad, What: Hostile, Details: []string{Hostile, Long}, Fix: Hostile}},
			Networks: []web.Network{named(Hostile), named(Long)}}),
	}
}

func overview(name string, o web.Overview) Story {
	return Story{name, PlacePage, web.OverviewPage(Page("Overview"), o)}
}

// Home is a network as it should be; the other states are made from it.
func Home() web.Network {
	return web.Network{
		Name: "home", Heading: "Protected: a stand-by is ready to take over.", Tone: web.ToneProtected, Looked: ago(12 * time.Second),
		Facts: []web.Fact{
			{Label: "Active for", Text: "12 days"},
			{Label: "Last sync", At: ago(2 * time.Minute)},
			{Label: "Devices", Text: "47"},
			{Label: "Last switchover", Text: "attic, by hand, 14 s", At: ago(12 * 24 * time.Hour)},
		},
		Actions: []web.Action{
			{Label: "Switch over to cellar", Verb: "switchover", Network: "home", To: "cellar", Primary: true},
			{Label: "Sync now", Verb: "sync", Network: "home"},
			{Label: "Hold", Verb: "hold", Network: "home"},
		},
		Nodes:  []web.Node{attic(), cellar()},
		Covers: covers(),
		Checks: checks(),
		Events: events(),
		If:     "If attic died now: Zigbee comes back by itself. cellar takes over by itself, once attic is silent or the plug switch.attic of Home Assistant has cut its power.",
		Watch: web.Watch{
			Automatics: "It repairs, starts and fails over by itself.",
			Tells: []web.Tell{{State: web.LightGood, Node: "attic", What: "Healthy",
				Evidence: []string{"looked at attic 12 s ago: node (pid 812) runs and holds /dev/ttyUSB0", "a device was heard 3 s ago"}}},
			Decision: "Nothing is done: attic serves.", Reasons: []string{"A device was heard 3 s ago."},
			Not:       []web.Alternative{{What: "Failover", Why: "attic serves: a device was heard 3 s ago."}, {What: "Rehearse", Why: "No rehearsal is due."}},
			Rehearsal: "The next rehearsal is due on Sun 29 Nov, 03:31.", Number: "z2mha why --number 412",
		},
	}
}

// Asked waits for a person: nobody can tell whether the old stick is silent.
func Asked() web.Network {
	n := lost()
	n.If = ""
	n.Question = &web.Question{
		Text:   "attic: host unreachable and bridge offline for 21 s. attic cannot be asked, and no fence that does not depend on it is configured, so its stick may be on air. When it is silent, cellar takes over (generation 218).",
		Fix:    "Pull the stick out of attic, or cut the power of attic, and leave it so. Then press “It is unplugged” on the page, or run `z2mha failover --to cellar --confirm-unplugged`.",
		Action: web.Action{Label: "It is unplugged: let cellar take over …", Verb: "failover", Network: "home", To: "cellar", Danger: true},
	}
	n.Watch = web.Watch{
		Automatics: "It repairs, starts and fails over by itself.",
		Tells: []web.Tell{
			{State: web.LightBad, Node: "attic", What: "Host unreachable and bridge offline", Evidence: []string{"attic could not be looked at since 41 s: no route to host", "bridge/state has been offline for 39 s"}},
			{State: web.LightWarn, Node: "shed", What: "Stand-by not ready", Evidence: []string{"its stick was never loaded with this network"}}},
		Decision: "A person is asked: attic cannot be asked, so its stick may be on air.", Reasons: []string{"attic: host unreachable and bridge offline for 41 s."},
		Refused: "It was not begun: attic cannot be looked at (no route to host), so its stick may be on air. It is tried again in 5 min.",
		Not:     []web.Alternative{{What: "Repair attic", Why: "attic cannot be reached, so nothing can be restarted there."}, {What: "Failover", Why: "There is no proof that attic is silent."}},
		Number:  "z2mha why --number 431",
	}
	return n
}

// StartOnHeld is held, and nobody serves the home.
func StartOnHeld() web.Network {
	n := onHold()
	n.Question = &web.Question{Text: "Nobody serves the home, and the network is on hold. attic was active last and can be started.",
		Fix:    "Press “Start attic” on the page, or run `z2mha start attic --despite-hold`.",
		Action: web.Action{Label: "Start attic", Verb: "start", Network: "home", To: "attic", Primary: true, OnHold: true}}
	n.Watch = web.Watch{Automatics: "On hold: nothing is done by itself.", Decision: "A person is asked: the network is on hold."}
	return n
}

// TakenOver has a failover behind it that nobody has acknowledged.
func TakenOver() web.Network {
	n := Home()
	n.Facts = append(n.Facts, web.Fact{Label: "Took over by itself, not acknowledged", Text: "no second failover before 04:12", At: ago(22 * time.Minute)})
	n.Actions = append(n.Actions, web.Action{Label: "Acknowledge", Verb: "acknowledge", Network: "home"})
	return n
}

func risky() web.Network {
	n := Home()
	n.Notices = []web.Notice{{State: web.LightBad, What: "A risk is accepted: two coordinators may speak at once.",
		Details: []string{"A stand-by takes over even when nobody can prove that the old stick is silent. Two on air at once make a network that your devices do not obey."},
		Fix:     "Give each host a fence, then remove accept_risk from z2mha.yaml."}}
	return n
}

func attic() web.Node {
	return web.Node{
		Name: "attic", Role: "Active", State: web.LightGood, Serving: true, Kind: "systemd", Address: "attic.example:22",
		Host:    web.Light{State: web.LightGood, Text: "reachable", Evidence: "SSH answered in 8 ms", At: ago(12 * time.Second)},
		Service: web.Light{State: web.LightGood, Text: "running", Evidence: "node (pid 812) holds the stick and the data directory", At: ago(12 * time.Second)},
		Dongle:  web.Light{State: web.LightGood, Text: "plugged in", Evidence: "/dev/ttyUSB0, ITead Sonoff Zigbee 3.0 USB Dongle Plus", At: ago(12 * time.Second)},
		Radio:   web.Light{State: web.LightGood, Text: "on air", Evidence: "a device answered", At: ago(41 * time.Second)},
		Facts:   []web.Fact{{Label: "Zigbee2MQTT", Text: "2.12.1"}, {Label: "Firmware", Text: "20240710"}},
		Actions: []web.Action{
			{Label: "Make active", Verb: "switchover", Network: "home", To: "attic", Disabled: true, Why: "it is active already."},
			{Label: "Stop …", Verb: "stop", Network: "home", To: "attic", Danger: true},
		},
	}
}

func cellar() web.Node {
	return web.Node{
		Name: "cellar", Role: "Stand-by, ready", State: web.LightGood, Kind: "OpenRC", Address: "192.0.2.17:22",
		Host:    web.Light{State: web.LightGood, Text: "reachable", Evidence: "SSH answered in 11 ms", At: ago(12 * time.Second)},
		Service: web.Light{State: web.LightGood, Text: "stopped", Evidence: "no process uses the stick or the data directory", At: ago(12 * time.Second)},
		Dongle:  web.Light{State: web.LightGood, Text: "plugged in", Evidence: "/dev/ttyUSB0, ITead Sonoff Zigbee 3.0 USB Dongle Plus", At: ago(12 * time.Second)},
		Radio:   web.Light{State: web.LightGood, Text: "silent (HOLD)", Evidence: "the stick says so itself", At: ago(26 * time.Minute)},
		Facts:   []web.Fact{{Label: "Zigbee2MQTT", Text: "2.12.1"}, {Label: "Firmware", Text: "20240710"}},
		More: []web.Fact{{Label: "On its stick", Text: "copy number 218", At: ago(26 * time.Minute)}, {Label: "Frame counter on it", Text: "1284411"},
			{Label: "Data beside it", Text: "copy number 218", At: ago(2 * time.Minute)},
			{Label: "Written to the stick", Text: "412 items in 9 loads"}, {Label: "Bytes written", Text: "18 kB"},
			{Label: "Times it was booted", Text: "3"}, {Label: "Counted since", At: ago(40 * 24 * time.Hour)}},
		Actions: []web.Action{{Label: "Make active", Verb: "switchover", Network: "home", To: "cellar"}},
	}
}

func covers() []web.Cover {
	return []web.Cover{
		{State: web.LightWarn, What: "Zigbee2MQTT crashes", Answer: "By hand", Why: "Attic starts it again by itself; if that does not help, cellar is ready. Run `z2mha failover --to cellar`."},
		{State: web.LightWarn, What: "The stick breaks", Answer: "By hand", Why: "Cellar takes over with what was read from the stick, when you say so. Unplug the broken stick, then run `z2mha failover --to cellar`."},
		{State: web.LightWarn, What: "The active host dies", Answer: "By hand", Why: "Cellar is ready, but whether attic is silent only you can make sure. Unplug attic or its stick, then run `z2mha failover --to cellar`."},
		{State: web.LightGood, What: "Home Assistant's host dies", Answer: "Yes", Why: "Zigbee goes on without it; nothing watches over it meanwhile."},
		{State: web.LightBad, What: "The broker dies", Answer: "No", Why: "Nobody hears Zigbee until the broker is back. Let its machine start it again by itself."},
	}
}

func checks() []web.Check {
	return []web.Check{
		{State: web.LightGood, What: "Exactly one node is on air", Evidence: "attic runs, cellar is stopped"},
		{State: web.LightGood, Node: "attic", What: "Zigbee2MQTT speaks on MQTT", Evidence: "version 2.12.1, 47 devices"},
		{State: web.LightGood, Node: "cellar", What: "Zigbee2MQTT is stopped", Evidence: "nobody holds /dev/ttyUSB0"},
		{State: web.LightGood, Node: "cellar", What: "It does not start by itself", Evidence: "not in any runlevel"},
		{State: web.LightGood, Node: "cellar", What: "There is room for the data", Evidence: "11.4 GB free"},
		{State: web.LightGood, Node: "cellar", What: "The sticks have the same firmware", Evidence: "revision 20240710 on both", At: ago(26 * time.Minute)},
		{State: web.LightGood, Node: "cellar", What: "The stick is up to date", Evidence: "it holds copy 218", At: ago(26 * time.Minute)},
	}
}

func events() []web.Event {
	return []web.Event{
		{At: ago(2 * time.Minute), State: web.LightGood, Text: "The stand-by cellar is up to date (copy 218)."},
		{At: ago(3 * time.Hour), State: web.LightWarn, Text: "The sync was refused: two devices are being interviewed.", Fix: "Wait until they are, then sync again."},
		{At: ago(12 * 24 * time.Hour), State: web.LightGood, Text: "attic took over from cellar; the home had no Zigbee for 14 s.", By: "Owner on the page"},
		{At: ago(12*24*time.Hour + time.Minute), State: web.LightUnknown, Text: "Moving the network from cellar to attic.", By: "Owner on the page"},
		{At: ago(12*24*time.Hour + 4*time.Hour), State: web.LightBad, Text: "cellar cannot be reached.", Fix: "See whether the host is on and in the network."},
	}
}

func firstLook() web.Network {
	n := Home()
	n.Looked, n.Heading, n.Tone = time.Time{}, "Not looked at yet.", web.ToneUnknown
	n.Facts, n.Covers, n.Checks, n.Events, n.Actions = nil, nil, nil, nil, nil
	for i := range n.Nodes {
		unknown := web.Light{State: web.LightUnknown, Text: "not known yet"}
		n.Nodes[i] = web.Node{Name: n.Nodes[i].Name, Role: "Not known", State: web.LightUnknown, Address: n.Nodes[i].Address,
			Host: unknown, Service: unknown, Dongle: unknown, Radio: unknown}
	}
	return n
}

func degraded() web.Network {
	n := Home()
	n.Heading, n.Tone = "Partly protected: a stand-by could take over, but something needs your attention.", web.ToneDegraded
	n.Reasons = []web.Reason{
		{Node: "cellar", What: "Zigbee2MQTT starts by itself when the host boots, and would then disturb attic.",
			Fix: "Run \"rc-update del zigbee2mqtt\" on cellar, or paste the line of the set-up again."},
		{Node: "cellar", What: "Its data is 2 days old.", Fix: "Sync now."},
	}
	n.Checks[3] = web.Check{State: web.LightWarn, Node: "cellar", What: "Its service is enabled: after a reboot there would be two coordinators on air",
		Fix: "Run \"rc-update del zigbee2mqtt\" on cellar."}
	n.Checks[6] = web.Check{State: web.LightUnknown, Node: "cellar", What: "What its stick holds is not known: a move reads the active's stick first, while Zigbee rests",
		Fix: "Run `z2mha seed` (“Make ready …” on the page), which restarts Zigbee2MQTT once and loads the stick; a switchover loads it too."}
	n.Nodes[1].More = nil
	for i := range n.Covers[1:3] {
		n.Covers[i+1].State, n.Covers[i+1].Answer = web.LightBad, "No"
		n.Covers[i+1].Why = "Cellar could not take over: its stick does not hold this network, and nothing else does if the active one is lost. Run `z2mha seed` (“Make ready …” on the page), which restarts Zigbee2MQTT once and reads what the active stick holds."
	}
	n.Actions = slices.Insert(n.Actions, 1,
		web.Action{Label: "Accept copy 219 …", Verb: "accept", Network: "home", Copy: 219, Danger: true},
		web.Action{Label: "Make ready …", Verb: "seed", Network: "home"})
	n.Nodes[1].State, n.Nodes[1].Role = web.LightWarn, "Stand-by, out of date"
	n.Nodes[1].Notes = []string{"It does not have the latest copy: sync to bring it up to date."}
	n.Nodes[1].Radio = web.Light{State: web.LightWarn, Text: "not asked lately", Evidence: "it was silent when it was asked last", At: ago(50 * time.Hour)}
	return n
}

func unprotected() web.Network {
	n := Home()
	n.Heading, n.Tone = "Not protected: no stand-by could take over now.", web.ToneUnprotected
	n.Reasons = []web.Reason{{Node: "cellar", What: "It cannot be reached: connection refused.", Fix: "See whether the host is on and whether sshd runs there."}}
	for i := range n.Covers[:3] {
		n.Covers[i].State, n.Covers[i].Answer = web.LightBad, "No"
		n.Covers[i].Why = "Cellar could not take over: connection refused. Make cellar reachable."
	}
	n.Actions[0].Disabled, n.Actions[0].Why = true, "cellar cannot be reached."
	n.Checks[2] = web.Check{State: web.LightBad, Node: "cellar", What: "It cannot be reached: connection refused",
		Fix: "See whether the host is on and whether sshd runs there."}
	n.Nodes[1] = web.Node{
		Name: "cellar", Role: "Offline", State: web.LightBad, Kind: "OpenRC", Address: "192.0.2.17:22",
		Host:    web.Light{State: web.LightBad, Text: "not reachable", Evidence: "connection refused", At: ago(12 * time.Second)},
		Service: web.Light{State: web.LightUnknown, Text: "not known", Evidence: "was stopped when it was seen last", At: ago(4 * time.Hour)},
		Dongle:  web.Light{State: web.LightUnknown, Text: "not known", Evidence: "was plugged in when it was seen last", At: ago(4 * time.Hour)},
		Radio:   web.Light{State: web.LightUnknown, Text: "not known", Evidence: "was silent when it was asked last", At: ago(4 * time.Hour)},
		Actions: []web.Action{{Label: "Make active", Verb: "switchover", Network: "home", To: "cellar", Disabled: true, Why: "it cannot be reached."}},
	}
	return n
}

// lost is a network whose active host is gone.
func lost() web.Network {
	n := Home()
	n.Heading, n.Tone = "Not protected: no stand-by could take over now.", web.ToneUnprotected
	n.Reasons = []web.Reason{{What: "No node is active: attic cannot be reached, cellar is stopped.", Fix: "Start attic again, or let cellar take over."}}
	n.Covers = nil
	n.Actions[0] = web.Action{Label: "Start attic again", Verb: "start", Network: "home", Primary: true}
	n.Actions = slices.Insert(n.Actions, 1, web.Action{Label: "Let cellar take over …", Verb: "failover", Network: "home", To: "cellar", Danger: true})
	n.Nodes[0].Role, n.Nodes[0].State, n.Nodes[0].Serving, n.Nodes[0].Actions = "Not reachable", web.LightBad, false, nil
	n.Nodes[0].Host = web.Light{State: web.LightBad, Text: "not reachable", Evidence: "no route to host", At: ago(12 * time.Second)}
	n.Nodes[1].Actions = nil
	return n
}

func onHold() web.Network {
	n := Home()
	n.Heading, n.Tone = "On hold: the network is watched, and nothing is done until you release it.", web.ToneHeld
	n.Reasons = []web.Reason{{What: "Owner put it on hold.", Fix: "Release it when you have finished."}}
	for i := range n.Actions[:2] {
		n.Actions[i].Disabled, n.Actions[i].Primary, n.Actions[i].Why = true, false, "the network is on hold."
	}
	n.Actions[2] = web.Action{Label: "Release", Verb: "release", Network: "home", Primary: true}
	return n
}

func garden() web.Network {
	n := Home()
	n.Name = "garden"
	n.Nodes[0].Name, n.Nodes[1].Name = "shed", "greenhouse"
	return n
}

func named(name string) web.Network {
	n := degraded()
	n.Name = name
	for i := range n.Nodes {
		x := &n.Nodes[i]
		x.Name, x.Role, x.Kind, x.Address = name, name, name, name
		x.Notes = []string{name}
		x.Facts = []web.Fact{{Label: name, Text: name}}
		x.More = x.Facts
		x.Host.Text, x.Host.Evidence = name, name
		x.Actions = []web.Action{{Label: "Make active: " + name, Verb: "switchover", Network: name, To: name, Disabled: true, Why: name}}
	}
	r := going()
	r.Title, r.By, r.Turning, r.Progress.What = name, name, name, name
	r.Steps[5].Title, r.Steps[5].Node, r.Steps[4].Saw = name, name, []string{name}
	n.Run = &r
	n.Reasons = []web.Reason{{Node: name, What: name, Fix: name}}
	n.Facts = []web.Fact{{Label: name, Text: name}}
	n.Actions = []web.Action{{Label: name, Verb: "switchover", Network: name, To: name, Primary: true}}
	n.Covers = []web.Cover{{State: web.LightBad, What: name, Answer: name, Why: name}}
	n.Checks = []web.Check{{State: web.LightBad, Node: name, What: name, Evidence: name, Fix: name}, {State: web.LightGood, Node: name, What: name, Evidence: name, At: ago(time.Hour)}}
	n.Events = []web.Event{{At: ago(time.Minute), State: web.LightBad, Text: name, By: name, Fix: name}}
	return n
}

func notices() []web.Notice {
	return []web.Notice{
		{State: web.LightBad, What: "The broker cannot be reached: dial tcp 192.0.2.4:1883: connection refused.",
			Fix: "See whether the broker runs. What Zigbee2MQTT says is not known until then."},
		{State: web.LightBad, What: "The configuration has changed and cannot be used. Everything goes on with what was read before.",
			Details: []string{"line 12: networks[0].nodes[1].host: missing; say where the host is reached over SSH", "line 19: snmp[0].format is \"v3\": not one of the choices; write one of: z2mha, prototype"},
			Fix:     "Correct z2mha.yaml; it is read again by itself.", Link: web.Link{Label: "Add a host", Href: "setup"}},
		web.NoticeNoHTMX,
		web.NoticeReadOnly,
	}
}
