package storybook

import "z2mha/web"

func setups() []Story {
	known := FirstUse()
	known.Nodes = nodes()
	known.Form.Network.Value = "home"
	noKey := FirstUse()
	noKey.Key, noKey.CanAct, noKey.Nodes = "", false, nodes()
	noKey.Notices = []web.Notice{web.NoticeReadOnly}
	return []Story{
		{"setup-first", PlacePage, web.SetupPage(Page("Add a host"), FirstUse())},
		{"setup-another", PlacePage, web.SetupPage(Page("Add a host"), known)},
		{"setup-no-key", PlacePage, web.SetupPage(Page("Add a host"), noKey)},
		{"setup-form-errors", PlaceStep, web.SetupFormPart(web.SetupForm{
			Network: web.Field{Value: "home"}, Node: web.Field{Value: Hostile, Error: "only letters, digits, - and _ can be used"},
			Host: web.Field{Value: "cellar.example", Error: "no such host: use an IP address, or see whether the name is right"},
			Port: web.Field{Value: "22x", Error: "is a number between 1 and 65535"}, User: web.Field{Value: "z2mha"},
			Become: web.Field{Value: "doas", Error: "the host has no doas"}})},
		{"setup-found", PlaceStep, web.SetupFoundPart(found())},
		{"setup-found-blocked", PlaceStep, web.SetupFoundPart(blocked())},
		{"setup-found-hostile", PlaceStep, web.SetupFoundPart(web.SetupFound{Node: Hostile, Address: Long, Facts: []web.Fact{{Label: Hostile, Text: Long}},
			Services: []web.Choice{{Value: Hostile, Label: Long, Note: Hostile, State: web.LightWarn}}, Hidden: []web.Hidden{{Name: "host", Value: Hostile}}})},
		{"setup-review", PlaceStep, web.SetupReviewPart(review())},
		{"setup-saved", PlaceStep, web.SetupSavedPart(web.SetupSaved{What: "The node cellar belongs to the network home now.",
			Next: []string{"It is looked at within half a minute.", "Sync once, so that it has the data of attic.", "Try a switchover while you are at home."}})},
		{"setup-trust", PlaceStep, web.SetupTrustPart(trust())},
		{"setup-trust-hostile", PlaceStep, web.SetupTrustPart(web.SetupTrust{Title: Hostile, Old: []string{Long, Hostile}, New: Long, Word: Hostile,
			Hidden: []web.Hidden{{Name: "host", Value: Hostile}}})},
		{"setup-nodes", PlaceNodes, web.SetupNodesPart(nodes(), true)},
		{"setup-nodes-checked", PlaceNodes, web.SetupNodesPart(noted(), true)},
		{"setup-nodes-hostile", PlaceNodes, web.SetupNodesPart([]web.SetupNode{{Network: Long, Node: Hostile, Text: Long, Check: true, Note: Hostile, NoteState: web.LightWarn}}, true)},
		{"setup-nodes-trust", PlaceNodes, web.SetupTrustPart(trustThere())},
		{"setup-removal", PlaceNodes, web.SetupRemovalPart(removal())},
		{"setup-removal-whole", PlaceNodes, web.SetupRemovalPart(wholeRemoval())},
		{"setup-removal-hostile", PlaceNodes, web.SetupRemovalPart(web.SetupRemoval{Title: Hostile, Sentences: []string{Long}, File: Hostile, YAML: Hostile + Long, Label: Long,
			Hidden: []web.Hidden{{Name: "node", Value: Hostile}}})},
		{"setup-removed", PlaceNodes, web.SetupSavedPart(web.SetupSaved{AtNodes: true, What: "The node nuc is removed from the network home.",
			Next: []string{"To come back with other settings, add the host again."}})},
	}
}

// prepared is a host with a line like those of the set-up, only shorter.
func prepared(kind, root, key string, standby bool) web.SetupHost {
	asRoot := func(body string) string { return `S=; [ "$(id -u)" = 0 ] || S=` + root + `; $S sh -c '` + body + `'` }
	makes := `set -e; umask 022; id z2mha >/dev/null 2>&1 || useradd --system --user-group --create-home --home-dir /home/z2mha --shell /bin/sh z2mha; ` +
		`h=~z2mha; mkdir -p "$h/.ssh"; echo "restrict ` + key + `" >"$h/.ssh/authorized_keys"; chown -R z2mha "$h/.ssh"; `
	does := []string{
		"makes the user z2mha, without a password",
		"lets our key, and no other, log in as that user: commands and files only, no terminal and no forwarding",
		"makes a rule with which that user becomes root without a password",
	}
	if standby {
		kind += ": stand-by, Zigbee2MQTT shall wait here"
		makes += `systemctl disable --now zigbee2mqtt; `
		does = append(does, "stops the service zigbee2mqtt now and keeps it from starting at boot")
	} else {
		kind += ": Zigbee2MQTT runs here now"
		does = append(does, "leaves Zigbee2MQTT as it is: it goes on running, and its start at boot stays")
	}
	return web.SetupHost{Kind: kind, Line: asRoot(makes + `echo "This host is prepared."`), Does: does,
		Mind: "Whoever has the private key can do everything on this host, as root. It stays in our state directory and is part of its backups.",
		Undo: asRoot(`rm -rf /var/lib/z2mha; userdel --remove z2mha`)}
}

// FirstUse is the set-up page of a new program.
func FirstUse() web.Setup {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExam z2mha"
	return web.Setup{
		CanAct: true, Key: key, Fingerprint: "SHA256:Fl7tTT4VnGbx3cIDnzkVb0bKp5MhNnwExampleExamp",
		Hosts: []web.SetupHost{
			prepared("Debian, Ubuntu, Raspberry Pi OS (systemd)", "sudo", key, false),
			prepared("Debian, Ubuntu, Raspberry Pi OS (systemd)", "sudo", key, true),
			prepared("Alpine (OpenRC)", "doas", key, false),
			prepared("Alpine (OpenRC)", "doas", key, true),
		},
		Form: web.SetupForm{Port: web.Field{Value: "22"}, User: web.Field{Value: "z2mha"}, Become: web.Field{Value: "sudo"}},
	}
}

func found() web.SetupFound {
	return web.SetupFound{
		Node: "cellar", Address: "z2mha@192.0.2.17:22, with doas",
		Facts: []web.Fact{{Label: "System", Text: "Alpine Linux 3.22, aarch64"}, {Label: "Zigbee2MQTT", Text: "2.12.1"},
			{Label: "Key of the host", Text: "SHA256:wJ0kExampleExampleExampleExampleExampleExam"}},
		Services: []web.Choice{{Value: "openrc:zigbee2mqtt", Label: "OpenRC: zigbee2mqtt", Note: "started with npm, runs now", State: web.LightGood, Chosen: true}},
		DataDirs: []web.Choice{
			{Value: "/opt/zigbee2mqtt/data", Label: "/opt/zigbee2mqtt/data", Note: "in use, 47 devices", State: web.LightGood, Chosen: true},
			{Value: "/srv/zigbee2mqtt/data", Label: "/srv/zigbee2mqtt/data", Note: "not used since March", State: web.LightUnknown},
		},
		Sticks: []web.Choice{
			{Value: "/dev/serial/by-id/usb-ITead_Sonoff_Zigbee_3.0_USB_Dongle_Plus_0001-if00-port0", Label: "ITead Sonoff Zigbee 3.0 USB Dongle Plus",
				Note: "CC2652P, firmware 20240710", State: web.LightGood, Chosen: true},
			{Value: "/dev/ttyACM0", Label: "SONOFF Dongle Plus V2", Note: "not a supported stick: this is an EFR32, which keeps its network in another way", State: web.LightBad, Disabled: true},
		},
		Checks: []web.Check{
			{State: web.LightWarn, What: "Zigbee2MQTT would start by itself at boot", Evidence: "zigbee2mqtt does not run now but is started at boot; two at once disturb one another", Fix: "Paste the line for a stand-by on this host."},
			{State: web.LightGood, What: "Our user can become root", Evidence: "doas works without a password"},
		},
		Hidden: []web.Hidden{{Name: "network", Value: "home"}, {Name: "node", Value: "cellar"}, {Name: "host", Value: "192.0.2.17"}},
	}
}

func blocked() web.SetupFound {
	f := found()
	f.Sticks = f.Sticks[1:]
	f.Services, f.DataDirs = nil, nil
	f.Blocked = "There is no stick on this host that could take over. Plug in one with a CC2652 or CC1352 chip and look again."
	return f
}

func review() web.SetupReview {
	return web.SetupReview{
		Title: "Add cellar to the network home?", File: "/data/z2mha.yaml",
		Sentences: []string{"From then on cellar is watched. Nothing on the host changes before you sync or switch over."},
		YAML: `      - name: cellar
        host: 192.0.2.17
        user: z2mha
        become: doas
        dongle: /dev/serial/by-id/usb-ITead_Sonoff_Zigbee_3.0_USB_Dongle_Plus_0001-if00-port0
        data: /opt/zigbee2mqtt/data
        service: openrc
        unit: zigbee2mqtt
`,
		Hidden: []web.Hidden{{Name: "node", Value: "cellar"}},
	}
}

func nodes() []web.SetupNode {
	return []web.SetupNode{
		{Network: "home", Node: "attic", Text: "attic.example:22, systemd", Check: true},
		{Network: "home", Node: "cellar", Text: "192.0.2.17:22, openrc", Check: true},
		{Network: "annex", Node: "shed", Text: "192.0.2.18:22, Docker; waits for a second node of this network before it is written"},
	}
}

func noted() []web.SetupNode {
	list := nodes()
	list[0].Note, list[0].NoteState = "Our key lets z2mha in, who can become root there.", web.LightGood
	list[1].Note, list[1].NoteState = "There is no way to this address; see whether the host is on and in this network.", web.LightBad
	return list
}

func trust() web.SetupTrust {
	return web.SetupTrust{
		Title: "192.0.2.17:22 shows another key than before",
		Sentences: []string{"Either the host was installed anew: then this is its new key. Or somebody else answers in its place.",
			"If you do not know why the key is new, do not trust it."},
		Old: []string{"SHA256:wJ0kExampleExampleExampleExampleExampleExam"}, New: "SHA256:Q9xkExampleExampleExampleExampleExampleExam",
		Word: "cellar", Hidden: []web.Hidden{{Name: "network", Value: "home"}, {Name: "node", Value: "cellar"}},
	}
}

func trustThere() web.SetupTrust {
	t := trust()
	t.AtNodes = true
	return t
}

func removal() web.SetupRemoval {
	return web.SetupRemoval{
		Title: "Remove nuc from the network home?", File: "/data/z2mha.yaml", Label: "Remove it",
		Sentences: []string{"The network home goes on with attic and cellar.", "Zigbee2MQTT is not touched on this host."},
		YAML:      "      - name: nuc\n        host: 192.0.2.19\n        service: systemd",
		Hidden:    []web.Hidden{{Name: "network", Value: "home"}, {Name: "node", Value: "nuc"}},
	}
}

func wholeRemoval() web.SetupRemoval {
	r := removal()
	r.Title, r.Label = "Remove the whole network home?", "Remove the whole network"
	r.Sentences = []string{"A network needs two nodes, so cellar cannot go alone: the whole network home goes, with attic and cellar."}
	r.YAML = "  - name: home\n    nodes:\n      - name: attic\n        host: 192.0.2.16\n      - name: cellar\n        host: 192.0.2.17"
	return r
}
