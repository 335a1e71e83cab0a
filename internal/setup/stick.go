package setup

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"z2mha/internal/config"
	"z2mha/web"
)

// A verdict is what is thought of a stick by its name.
type verdict struct {
	state    web.LightState
	note     string
	unusable bool
}

// other is a stick that cannot be used here.
func other(what, means string) verdict {
	return verdict{web.LightBad, "not a supported stick: this is " + what + "; " + means, true}
}

var (
	efr32  = other("an EFR32", "it keeps its network in another way, which this program cannot read or silence")
	deconz = other("a ConBee or RaspBee (deCONZ)", "its firmware keeps the frame counters to itself")
	zigate = other("a ZiGate", "its firmware gives no copy of the network")
	tooOld = other("a CC2531 or CC2530 (Z-Stack 1.2)", "it is too old: it has too little memory for a copy of the network")
	zWave  = other("a Z-Wave stick", "it does not speak Zigbee")

	supported = verdict{state: web.LightGood, note: "supported: a stick with Z-Stack 3.x; its firmware is asked when the node is checked"}
	unknown   = verdict{state: web.LightUnknown, note: "unknown: its name does not tell what it is; z2mha asks it when the node is checked"}
)

// byName goes by what the stick says of itself over USB, the more special first. Early
// Sonoff ZBDongle-P, and every bare CP210x or CH340, say nothing of use.
// Source: the sticks' USB names; Zigbee2MQTT's list of adapters.
var byName = []struct {
	pattern *regexp.Regexp
	verdict verdict
}{
	{regexp.MustCompile(`z-?wave|zooz|zst10|zst39|zwa-?2|uzb`), zWave},
	{regexp.MustCompile(`conbee|raspbee|dresden`), deconz},
	{regexp.MustCompile(`zigate`), zigate},
	{regexp.MustCompile(`cc253[01]`), tooOld},
	{regexp.MustCompile(`efr32|skyconnect|zbt-?[12]|zbdongle-?e|dongle-?e\b|plus[ _-]?v2|\bmg2[0-9]|[^a-z]mg2[0-9]|zb-gw04|elelabs|bz3`), efr32},
	{regexp.MustCompile(`slzb-?0[67]-?m|slzb-?07([^p0-9]|$)`), efr32},
	{regexp.MustCompile(`sonoff.*plus|zbdongle-?p`), supported},
	{regexp.MustCompile(`cc2652|cc1352|cc2674|cc26x2|cc1352p|slae\.?sh|zzh|zig-a-zig|electrolama|tubeszb|slzb-?0[67]|launchpad|xds110`), supported},
}

// byID goes by USB vendor and product, for those that have their own.
var byID = map[string]verdict{
	"1cf1:0030": deconz, // ConBee II
	"1cf1:0031": deconz, // ConBee III
	"0451:16a8": tooOld, // CC2531
	"0451:bef3": supported,
	"0658:0200": zWave, // Aeotec and others
	"303a:4001": {web.LightBad, efr32.note, true},
}

func (k stick) verdict() verdict {
	if k.fromSettings {
		return verdict{state: web.LightUnknown, note: "a coordinator in the network, named by configuration.yaml; z2mha asks it when the node is checked"}
	}
	text := strings.ToLower(strings.Join([]string{k.manufacturer, k.name, path.Base(k.path)}, " "))
	text = strings.ReplaceAll(text, "_", " ")
	for _, one := range byName {
		if one.pattern.MatchString(text) {
			return one.verdict
		}
	}
	if v, ok := byID[strings.ToLower(k.vendor+":"+k.product)]; ok {
		return v
	}
	return unknown
}

func (k stick) label() string {
	if k.fromSettings {
		return k.path
	}
	said := strings.TrimSpace(k.manufacturer + " " + k.name)
	if said == "" {
		return k.path
	}
	return clean(said + " (" + k.path + ")")
}

// choice is the stick with what is thought of it.
func (k stick) choice() web.Choice {
	v := k.verdict()
	c := web.Choice{Value: k.path, Label: k.label(), Note: v.note, State: v.state, Disabled: v.unusable}
	if !k.stable && !k.fromSettings && !v.unusable {
		c.Note += "; it has no name of its own under /dev/serial/by-id, so that this one may change at the next boot"
		c.State = web.LightWarn
	}
	if k.serial != "" {
		c.Note += "; serial number " + k.serial
	}
	if len(k.users) > 0 {
		c.Note += "; in use by " + strings.Join(k.users, ", ")
	}
	return c
}

// addNetworkSticks offers the coordinators that a configuration.yaml reaches over TCP.
func (s *sight) addNetworkSticks() {
	for _, d := range s.data {
		address, err := config.ParseDongle(d.port)
		if err != nil || !address.InNetwork() {
			continue
		}
		known := func(k stick) bool { return k.path == string(address) }
		if !slices.ContainsFunc(s.sticks, known) {
			s.sticks = append(s.sticks, stick{path: string(address), fromSettings: true})
		}
	}
}

// named says that text, as it stands in configuration.yaml, means this stick. In a
// container it may be called otherwise; then no stick is meant.
func (k stick) named(text string) bool {
	if address, err := config.ParseDongle(text); err == nil {
		text = string(address)
	}
	return text != "" && (text == k.path || text == cmp.Or(k.real, k.path))
}
