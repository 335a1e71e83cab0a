package netbackup

import (
	"fmt"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// FromImage makes the backup that Zigbee2MQTT would make of a stick with this memory:
// its devices are the address manager's entries that are a child or have a key. source
// is the program to name in it, with its version: "z2mha@1.0.0". The error says why the
// network cannot be told.
//
// Zigbee2MQTT's own backup gives an application link key to the wrong device where the
// address manager has a gap below it: it counts used entries, while APS_LINK_KEY_TABLE
// counts all.
func FromImage(img *nvimage.Image, source string, at time.Time) (*Backup, error) {
	id, err := img.Identity()
	if err != nil {
		return nil, fmt.Errorf("make coordinator backup: %w", err)
	}
	counters, err := img.Counters()
	if err != nil {
		return nil, fmt.Errorf("make coordinator backup: %w", err)
	}
	level, mask, err := img.Network()
	if err != nil {
		return nil, fmt.Errorf("make coordinator backup: %w", err)
	}
	stack := 1 // Z-Stack 3.x.0
	b := &Backup{Source: source, Date: at.UTC().Truncate(time.Millisecond), FrameCounter: counters.NWK, SecurityLevel: level,
		Devices: devicesOf(img), identity: id, znpVersion: &stack}
	for c := zigbee.Channel(11); c <= 26; c++ {
		if mask&(1<<c) != 0 {
			b.ChannelMask = append(b.ChannelMask, c)
		}
	}
	if seed, ok := img.Seed(); ok {
		b.Seed = &seed
	}
	return b, nil
}

// devicesOf lists the devices in table order; a second entry of one address is left out.
func devicesOf(img *nvimage.Image) []Device {
	keys := keysOf(img)
	var out []Device
	seen := make(map[zigbee.IEEE]bool)
	for _, index := range img.Entries(nvimage.AddrMgr) {
		a, ok := img.Address(index)
		if !ok || a.User&(nvimage.UserChild|nvimage.UserSecurity) == 0 || seen[a.IEEE] {
			continue
		}
		seen[a.IEEE] = true
		d := Device{IEEE: a.IEEE, Child: a.User&nvimage.UserChild != 0, LinkKey: keys.of(index, a.IEEE)}
		if a.Nwk < nvimage.NoNwk {
			d.Nwk, d.NwkKnown = a.Nwk, true
		}
		out = append(out, d)
	}
	return out
}

// keys are the link keys in a stick's memory: those that stand there, by index in the
// address manager, and those that follow from the seed, by device.
type keys struct {
	own    map[uint16]LinkKey
	seeded map[zigbee.IEEE]LinkKey
}

func keysOf(img *nvimage.Image) keys {
	k := keys{own: make(map[uint16]LinkKey), seeded: make(map[zigbee.IEEE]LinkKey)}
	links, _ := img.APSLinks()
	for _, l := range links {
		v, ok := img.APSKey(l.Key)
		if _, twice := k.own[l.Address]; ok && !twice {
			k.own[l.Address] = LinkKey{Key: v.Key, Tx: v.Tx, Rx: v.Rx}
		}
	}
	seed, ok := img.Seed()
	if !ok {
		return k
	}
	for _, sub := range img.Entries(nvimage.TclkTable) {
		v, ok := img.SeededKey(sub)
		if _, twice := k.seeded[v.IEEE]; ok && !twice {
			k.seeded[v.IEEE] = LinkKey{Key: nvimage.DeriveKey(seed, v.IEEE, v.Shift), Tx: v.Tx, Rx: v.Rx}
		}
	}
	return k
}

// of is a device's key; one that stands in the memory wins, as in Zigbee2MQTT.
func (k keys) of(index uint16, device zigbee.IEEE) *LinkKey {
	if v, ok := k.own[index]; ok {
		return &v
	}
	if v, ok := k.seeded[device]; ok {
		return &v
	}
	return nil
}
