package storybook

import "z2mha/web"

func dialogs() []Story {
	return []Story{
		{"preview-switchover", PlaceDialog, web.PreviewDialog(switchover())},
		{"preview-sync", PlaceDialog, web.PreviewDialog(web.Preview{
			Title:        "Bring the stand-bys up to date?",
			Sentences:    []string{"The data of attic is copied and laid ready on cellar. It is not used there before a switchover."},
			Interruption: "Nothing: Zigbee goes on all the time.",
			Steps: []web.PlanStep{
				{Title: "Copy the data of attic", Check: "every copied file was compared", Commands: []string{"attic: znp-helper archive --data /opt/zigbee2mqtt/data"}},
				{Title: "Lay it ready on cellar", Check: "every copied file was compared", Commands: []string{"cellar: znp-helper stage --staging /var/lib/z2mha"}},
			},
			Confirm: web.Confirm{Network: "home", Verb: "sync", Label: "Sync now"},
		})},
		{"preview-stop", PlaceDialog, web.PreviewDialog(Stop())},
		{"preview-seed", PlaceDialog, web.PreviewDialog(seed())},
		{"preview-failover", PlaceDialog, web.PreviewDialog(Failover())},
		{"preview-accept", PlaceDialog, web.PreviewDialog(web.Preview{
			Title: "Accept copy 219?",
			Sentences: []string{
				"It was refused, since it tells of another network than the last good copy, or of less. Accept it only if that is what you wanted: devices that you removed, another channel that you chose.",
				"From then on it is what the network is, and it is brought to the stand-bys.",
			},
			Reasons:      []string{"2 devices are gone and none of them left: lamp in the hall (0x00158d0000000101), 0x00158d0000000102.", "The channel is 20 and was 15."},
			Interruption: "Zigbee goes on working all the time.",
			Confirm:      web.Confirm{Network: "home", Verb: "accept", Copy: 219, Label: "Accept copy 219", Word: "accept 219", Danger: true},
		})},
		{"preview-hold", PlaceDialog, web.PreviewDialog(web.Preview{
			Title:     "Hold the network home?",
			Sentences: []string{"It goes on being watched, and nothing is done until you release it. A plan that is under way is finished first."},
			Confirm:   web.Confirm{Network: "home", Verb: "hold", Label: "Hold"},
		})},
		{"preview-start-on-hold", PlaceDialog, web.PreviewDialog(StartOnHold())},
		{"preview-repair", PlaceDialog, web.PreviewDialog(web.Preview{
			Title: "Repair attic where it is?",
			Sentences: []string{"Zigbee2MQTT on attic is ended, also when it hangs, its stick is reset, and it is started again. No data is moved.",
				"If attic does not work again it ends silent, so that another host may take over."},
			Interruption: "Your home has no Zigbee for about 45 s (an estimate).", Dark: true,
			Steps:   []web.PlanStep{{Title: "Reset the stick of attic", Check: "the stick says that it is silent (HOLD)", Dark: true, Commands: []string{"attic: znp-helper hold /dev/ttyUSB0"}}},
			Confirm: web.Confirm{Network: "home", Verb: "repair", To: "attic", Label: "Repair attic", Danger: true},
		})},
		{"preview-return", PlaceDialog, web.PreviewDialog(web.Preview{
			Title: "Make attic a stand-by?",
			Sentences: []string{"What runs on attic is stopped and its stick made silent; then it gets what the network is now. What is on it is kept.",
				"Cellar goes on. It is restarted only if the stick of attic has used higher frame counters."},
			Interruption: "Zigbee goes on working all the time.",
			Confirm:      web.Confirm{Network: "home", Verb: "return", To: "attic", Label: "Make it a stand-by"},
		})},
		{"preview-acknowledge", PlaceDialog, web.PreviewDialog(Acknowledge())},
		{"preview-hostile", PlaceDialog, web.PreviewDialog(web.Preview{
			Title: Hostile, Sentences: []string{Hostile, Long}, Interruption: Hostile, Dark: true,
			Steps:   []web.PlanStep{{Title: Long, Check: Hostile, Dark: true, Commands: []string{Hostile, Long}}},
			Confirm: web.Confirm{Network: Hostile, Verb: "stop", To: Hostile, Label: Long, Word: Hostile, Danger: true},
		})},
		{"preview-refused", PlaceDialog, web.FailureDialog(web.Failure{
			What: "Move the network to cellar", Why: "cellar cannot be reached: connection refused.", Remedy: "See whether the host is on and whether sshd runs there."})},
	}
}

func switchover() web.Preview {
	return web.Preview{
		Title: "Move the network to cellar?",
		Sentences: []string{
			"Zigbee2MQTT on attic is stopped and its radio silenced. Then cellar takes over the network with all 47 devices.",
			"If anything goes wrong on the way, everything is taken back and attic goes on.",
		},
		Interruption: "Your home has no Zigbee for about 14 s (as long as last time); at most 18 min, should every step hang until it is given up.", Dark: true,
		Steps: []web.PlanStep{
			{Title: "Look at all nodes afresh", Check: "nothing stands in the way"},
			{Title: "Prove that the stick of cellar is silent", Check: "the stick says that it is silent (HOLD)", Commands: []string{"cellar: znp-helper hold /dev/ttyUSB0"}},
			{Title: "Copy the data of attic to cellar", Check: "every copied file was compared",
				Commands: []string{"attic: znp-helper archive --data /opt/zigbee2mqtt/data", "cellar: znp-helper stage --staging /var/lib/z2mha"}},
			{Title: "Stop Zigbee2MQTT on attic", Check: "no process uses the stick or the data directory", Dark: true, Commands: []string{"attic: systemctl stop zigbee2mqtt"}},
			{Title: "Silence the radio of attic", Check: "the stick says that it is silent (HOLD)", Dark: true, Commands: []string{"attic: znp-helper hold /dev/ttyUSB0"}},
			{Title: "Write the network onto the stick of cellar", Check: "everything written was read back; then the stick says that it is silent (HOLD)", Dark: true, Commands: []string{"cellar: znp-helper write /dev/ttyUSB0"}},
			{Title: "Start Zigbee2MQTT on cellar", Check: "it speaks on MQTT", Dark: true, Commands: []string{"cellar: rc-service zigbee2mqtt start"}},
			{Title: "See that devices answer", Check: "at least one does"},
		},
		Confirm: web.Confirm{Network: "home", Verb: "switchover", To: "cellar", Label: "Move the network"},
	}
}

// StartOnHold is asked for in one step.
func StartOnHold() web.Preview {
	return web.Preview{
		Title: "Start attic again?",
		Sentences: []string{"attic was active last. It is started with its own data and stick, after all others were proven silent.",
			"The network stays on hold: nothing else is done until you release it."},
		Interruption: "Your home has no Zigbee now. It is back once the last step but one is done, about a minute from now.", Dark: true,
		Steps:   []web.PlanStep{{Title: "Start Zigbee2MQTT on attic", Check: "it speaks on MQTT", Dark: true, Commands: []string{"attic: systemctl start zigbee2mqtt"}}},
		Confirm: web.Confirm{Network: "home", Verb: "start", To: "attic", OnHold: true, Label: "Start attic"},
	}
}

// Acknowledge lets another failover follow at once.
func Acknowledge() web.Preview {
	return web.Preview{
		Title: "Acknowledge the last failover?",
		Sentences: []string{"You have seen what broke, and it is dealt with.",
			"From now on the controller may make another failover by itself at once, when one is needed. Otherwise it waits until the cool-down is over."},
		Interruption: "Zigbee goes on working all the time.",
		Confirm:      web.Confirm{Network: "home", Verb: "acknowledge", Label: "Acknowledge"},
	}
}

func seed() web.Preview {
	return web.Preview{
		Title: "Make the stand-bys ready?",
		Sentences: []string{
			"Zigbee2MQTT on attic is stopped once, its stick is read whole, and it is started again. The stick of cellar is loaded with that afterwards, while Zigbee works.",
			"This is needed once. From then on the stand-bys are kept ready without any interruption. What their sticks held is kept.",
			"If a step fails before attic is proven to work again, it is started as it was.",
		},
		Interruption: "Your home has no Zigbee for about 45 s (an estimate); at most 7 min, should every step hang until it is given up.", Dark: true,
		Steps: []web.PlanStep{
			{Title: "Stop Zigbee2MQTT on attic", Check: "no process uses the stick or the data directory", Dark: true, Commands: []string{"attic: systemctl stop zigbee2mqtt"}},
			{Title: "Read the memory of the stick of attic", Check: "it holds the network that was on air", Dark: true, Commands: []string{"attic: znp-helper read /dev/ttyUSB0"}},
			{Title: "Start Zigbee2MQTT on attic", Check: "it speaks on MQTT", Dark: true, Commands: []string{"attic: systemctl start zigbee2mqtt"}},
			{Title: "Keep the stick of cellar current", Check: "every written item was read back, and the stick says that it is silent (HOLD)", Commands: []string{"cellar: znp-helper patch /dev/ttyUSB0"}},
		},
		Confirm: web.Confirm{Network: "home", Verb: "seed", Label: "Make ready"},
	}
}

// Failover asks for a person's word, since nobody can ask the old stick.
func Failover() web.Preview {
	return web.Preview{
		Title: "Let cellar take over from attic?",
		Sentences: []string{
			"attic cannot serve. Cellar goes on with the last good copy, number 218, 2 min old. No device has to be paired again, unless it joined after that copy.",
			"Nobody can ask the stick of attic whether it is silent. Unplug it, or cut the power of its host, and leave it so until the host was looked at: two coordinators on air would ruin the network.",
			"If a step fails, your home stays without Zigbee until somebody starts attic or tries again.",
		},
		Interruption: "Your home has no Zigbee now, or soon. It is back once cellar is proven to work, about 30 s from now.", Dark: true,
		Steps: []web.PlanStep{
			{Title: "See that attic cannot serve, and cellar could", Check: "every host that can be reached was looked at, and nobody serves the home"},
			{Title: "Make sure that the stick of attic is silent", Check: "the stick says so itself (HOLD), or a person has given their word", Dark: true},
			{Title: "Start Zigbee2MQTT on cellar", Check: "it speaks on MQTT", Dark: true, Commands: []string{"cellar: rc-service zigbee2mqtt start"}},
		},
		Confirm: web.Confirm{Network: "home", Verb: "failover", To: "cellar", Label: "Let cellar take over", Word: "the stick is unplugged", Danger: true},
	}
}

// Stop asks for a word before it stops a node.
func Stop() web.Preview {
	return web.Preview{
		Title:        "Stop attic?",
		Sentences:    []string{"Zigbee2MQTT on attic is stopped and its radio silenced.", "No other node takes over. Use \"Switch over\" if you want one to."},
		Interruption: "Your home has no Zigbee until you start a node again.", Dark: true,
		Steps: []web.PlanStep{
			{Title: "Stop Zigbee2MQTT", Check: "no process uses the stick or the data directory", Dark: true, Commands: []string{"attic: systemctl stop zigbee2mqtt"}},
			{Title: "Silence the radio", Check: "the stick says that it is silent (HOLD)", Dark: true, Commands: []string{"attic: znp-helper hold /dev/ttyUSB0"}},
		},
		Confirm: web.Confirm{Network: "home", Verb: "stop", To: "attic", Label: "Stop attic", Word: "attic", Danger: true},
	}
}
