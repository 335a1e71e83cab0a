package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/service"
	"z2mha/web"
)

// view draws a sight. token names it in the next step.
func (s sight) view(token string) web.SetupFound {
	running := s.likeliest()
	dir := s.likelyDirectory(running)
	v := web.SetupFound{
		Node: s.Node, Address: s.User + "@" + s.Host.String() + becomeText(string(s.Become)),
		Facts:  s.facts(dir),
		Hidden: []web.Hidden{{Name: "look", Value: token}},
	}
	for _, one := range s.services {
		c := serviceChoice(one)
		c.Chosen = c.Value == serviceValue(running)
		v.Services = append(v.Services, c)
	}
	for _, one := range s.data {
		c := one.choice()
		c.Chosen = one.path == dir.path
		v.DataDirs = append(v.DataDirs, c)
	}
	meant := s.likelyStick(running, dir)
	for _, one := range s.sticks {
		c := one.choice()
		c.Chosen = one.path == meant && !c.Disabled
		v.Sticks = append(v.Sticks, c)
	}
	v.Checks, v.Blocked = s.checks(running, dir), s.blocked(v)
	return v
}

func becomeText(become string) string {
	if become == "none" {
		return ""
	}
	return ", with " + become
}

func (s sight) facts(dir directory) []web.Fact {
	facts := []web.Fact{{Label: "System", Text: clean(cmp.Or(s.system, "not told") + ", " + cmp.Or(s.machine, "unknown machine"))}}
	if dir.version != "" {
		facts = append(facts, web.Fact{Label: "Zigbee2MQTT", Text: dir.version})
	}
	if dir.baseTopic != "" {
		facts = append(facts, web.Fact{Label: "MQTT base topic", Text: dir.baseTopic})
	}
	return append(facts, web.Fact{Label: "Key of the host", Text: strings.Join(s.keys, ", ")})
}

// blocked says why no choice of what there is makes a node.
func (s sight) blocked(v web.SetupFound) string {
	usable := func(list []web.Choice) bool {
		return slices.ContainsFunc(list, func(c web.Choice) bool { return !c.Disabled })
	}
	switch {
	case !usable(v.Services) && s.trouble != "":
		return "No service that runs Zigbee2MQTT was found, and not every place could be asked: " + s.trouble + "."
	case !usable(v.Services):
		return "No service that runs Zigbee2MQTT was found. Install it as a service of systemd or OpenRC, or in a container, and look again; for other ways, write the node into z2mha.yaml by hand, with start and stop commands of your own."
	case !usable(v.DataDirs):
		return "No data directory of Zigbee2MQTT was found. Start Zigbee2MQTT once on this host, so that it makes one, and look again."
	case !usable(v.Sticks):
		return "There is no stick on this host that could carry the network. Plug in one with a CC2652 or CC1352 chip and look again; a coordinator in the network is offered when serial.port of configuration.yaml names it, as in tcp://192.0.2.21:6638."
	}
	return ""
}

func serviceValue(f service.Found) string { return string(f.Kind) + ":" + f.Unit }

var kindNames = map[service.Kind]string{service.Systemd: "systemd", service.OpenRC: "OpenRC", service.Docker: "Docker"}

func serviceChoice(f service.Found) web.Choice {
	c := web.Choice{Value: serviceValue(f), Label: kindNames[f.Kind] + ": " + clean(f.Unit), State: web.LightUnknown}
	var notes []string
	switch f.State {
	case network.ServiceRunning:
		c.State, notes = web.LightGood, append(notes, "runs now")
	case network.ServiceStopped:
		notes = append(notes, "does not run")
	case network.ServiceFailed:
		c.State, notes = web.LightWarn, append(notes, "has failed")
	}
	switch f.Enabled {
	case service.Yes:
		notes = append(notes, "starts at boot")
	case service.No:
		notes = append(notes, "does not start at boot")
	case service.Masked:
		c.State, notes = web.LightWarn, append(notes, "is masked and cannot be started")
	}
	if f.Image != "" {
		notes = append(notes, "image "+clean(f.Image))
	}
	c.Note = strings.Join(notes, ", ")
	return c
}

func (d directory) choice() web.Choice {
	c := web.Choice{Value: d.path, Label: d.path, State: web.LightGood}
	switch {
	case !d.configured:
		c.State, c.Note = web.LightWarn, "has no configuration.yaml; start Zigbee2MQTT once to make one"
	case d.unreadable != "":
		c.State, c.Note = web.LightWarn, d.unreadable
	default:
		c.Note = devicesText(d.devices)
		if !d.changed.IsZero() {
			c.Note += ", last changed on " + d.changed.Format("2 January 2006")
		}
	}
	return c
}

func devicesText(n int) string {
	if n == 1 {
		return "1 device"
	}
	return fmt.Sprintf("%d devices", n)
}

// likeliest is the service that runs, else the first; zero when there is none.
func (s sight) likeliest() service.Found {
	for _, one := range s.services {
		if one.State == network.ServiceRunning {
			return one
		}
	}
	if len(s.services) == 0 {
		return service.Found{}
	}
	return s.services[0]
}

// likelyDirectory is that of the service, else the only one with a configuration, else
// none, so that a person thinks.
func (s sight) likelyDirectory(running service.Found) directory {
	var configured []directory
	for _, d := range s.data {
		if d.path == running.Data && d.path != "" {
			return d
		}
		if d.configured {
			configured = append(configured, d)
		}
	}
	if len(configured) == 1 {
		return configured[0]
	}
	return directory{}
}

// likelyStick is the one that was handed into the container, or that configuration.yaml
// names, else the only one that can be used. Inside a container a device file may have the
// name that another stick has on the host.
func (s sight) likelyStick(running service.Found, dir directory) string {
	var named, handed, usable []string
	for _, k := range s.sticks {
		if k.named(dir.port) && (running.Kind != service.Docker || !strings.HasPrefix(dir.port, "/dev/tty")) {
			named = append(named, k.path)
		}
		if slices.ContainsFunc(running.Devices, k.named) {
			handed = append(handed, k.path)
		}
		if !k.verdict().unusable {
			usable = append(usable, k.path)
		}
	}
	for _, list := range [][]string{named, handed, usable} {
		if len(list) == 1 {
			return list[0]
		}
	}
	return ""
}

// otherAdapters are the values of serial.adapter for sticks of other kinds.
var otherAdapters = []string{"ember", "ezsp", "deconz", "zigate", "zboss", "zoh"}

func (s sight) checks(running service.Found, dir directory) []web.Check {
	checks := []web.Check{{State: web.LightGood, What: "Our user can become root", Evidence: "commands ran as root just now"}}
	if slices.Contains(otherAdapters, dir.adapter) {
		checks = append(checks, web.Check{State: web.LightBad, What: "The stick of this Zigbee2MQTT is not supported",
			Evidence: "serial.adapter in configuration.yaml is " + dir.adapter, Fix: "Use a stick with Z-Stack 3.x on both hosts, for which it is zstack."})
	}
	if strings.HasPrefix(dir.port, "mdns:") {
		checks = append(checks, web.Check{State: web.LightWarn, What: "The coordinator is not named by its address",
			Evidence: "serial.port in configuration.yaml is " + dir.port, Fix: "Write serial.port as tcp://ADDRESS:PORT there."})
	}
	if running.Unit == "" {
		return checks
	}
	if running.State != network.ServiceRunning && running.Enabled == service.Yes {
		checks = append(checks, web.Check{State: web.LightWarn, What: "Zigbee2MQTT would start by itself at boot",
			Evidence: clean(running.Unit) + " does not run now but is started at boot; two at once disturb one another", Fix: "Paste the line for a stand-by on this host."})
	}
	if running.Watchdog != "" {
		checks = append(checks, web.Check{State: web.LightWarn, What: "Zigbee2MQTT starts itself again",
			Evidence: "Z2M_WATCHDOG is set for " + clean(running.Unit), Fix: "Remove Z2M_WATCHDOG from its environment."})
	}
	if s.trouble != "" {
		checks = append(checks, web.Check{State: web.LightWarn, What: "Not every service manager could be asked", Evidence: s.trouble})
	}
	return checks
}
