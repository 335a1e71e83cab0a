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
		{"preview-hold", PlaceDialog, web.PreviewDialog(web.Preview{
			Title:     "Hold the network home?",
			Sentences: []string{"It goes on being watched, and nothing is done until you release it. A plan that is under way is finished first."},
			Confirm:   web.Confirm{Network: "home", Verb: "hold", Label: "Hold"},
		})},
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
