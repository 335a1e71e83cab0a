package inmem

import (
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

const (
	// linkFrameEvery is how often a frame is sent under each link key in use.
	linkFrameEvery = 20 * time.Second
	// A running stick saves the counter of a trust-centre link key when it has moved by
	// the first of these, that of an application link key by the second.
	seededSaveEvery = 10
	ownSaveEvery    = 1000
)

// A linkKey is a key that the coordinator has with one device.
type linkKey struct {
	device zigbee.IEEE
	key    zigbee.Key
}

// A sender counts the frames under one link key.
type sender struct {
	linkKey
	sent  zigbee.FrameCounter // last one used
	saved zigbee.FrameCounter // in the stick's memory
	every uint64              // saved when it has moved by that much
}

// sendersOf are the link keys in use in a memory. A device with an application link key
// is not spoken to under its seeded one.
func sendersOf(nv *nvimage.Image) map[nvimage.ID]sender {
	out := map[nvimage.ID]sender{}
	own := map[zigbee.IEEE]bool{}
	links, _ := nv.APSLinks()
	for _, l := range links {
		a, known := nv.Address(l.Address)
		if k, ok := nv.APSKey(l.Key); ok && known {
			own[a.IEEE] = true
			out[nvimage.Entry(nvimage.ApsKeyDataTable, l.Key)] = sender{linkKey{a.IEEE, k.Key}, k.Tx, k.Tx, ownSaveEvery}
		}
	}
	seed, ok := nv.Seed()
	if !ok {
		return out
	}
	for _, id := range nv.LinkKeys() {
		if k, ok := nv.SeededKey(id.Sub); ok && !own[k.IEEE] {
			out[id] = sender{linkKey{k.IEEE, nvimage.DeriveKey(seed, k.IEEE, k.Shift)}, k.Tx, k.Tx, seededSaveEvery}
		}
	}
	return out
}

// bootStickLocked is what a boot does to the memory: counters of link keys step over what may
// have been used, and the stack takes them into its RAM. What is written later it does
// not see before the next boot.
func (x *Host) bootStickLocked() {
	x.nv.Boot()
	x.atBoot = sendersOf(x.nv)
}

// linksOnAirLocked sends the first frame under each link key.
func (x *Host) linksOnAirLocked() {
	x.links, x.linksSince = sendersOf(x.nv), time.Now()
	for id, s := range x.links {
		if ram := x.atBoot[id]; ram.linkKey == s.linkKey {
			s.sent = ram.sent
		} else {
			s.sent = 0
		}
		if heard, spoken := x.home.linkHeard[s.linkKey]; spoken && s.sent <= heard {
			x.home.violateLocked("I2: %s sends to %s under its link key from %d, it has heard %d", x.name, s.device, s.sent, heard)
		}
		x.hearLinkLocked(s)
		x.links[id] = s
	}
}

func (x *Host) hearLinkLocked(s sender) {
	x.home.linkHeard[s.linkKey] = max(x.home.linkHeard[s.linkKey], s.sent)
}

// tickLinksLocked sends what is due under every link key, and saves as a stick does.
func (x *Host) tickLinksLocked(now time.Time) {
	n := uint64(now.Sub(x.linksSince) / linkFrameEvery)
	if n == 0 {
		return
	}
	x.linksSince = x.linksSince.Add(time.Duration(n) * linkFrameEvery)
	for id, s := range x.links {
		s.sent = s.sent.Add(n)
		x.hearLinkLocked(s)
		if moved := uint64(s.sent - min(s.saved, s.sent)); moved >= s.every {
			s.saved = s.saved.Add(moved / s.every * s.every)
			x.saveLinkLocked(id, s.saved)
		}
		x.links[id] = s
	}
}

func (x *Host) saveLinkLocked(id nvimage.ID, c zigbee.FrameCounter) {
	if id.Item == nvimage.TclkTable {
		if k, ok := x.nv.SeededKey(id.Sub); ok {
			k.Tx = c
			x.nv.PutSeededKey(id.Sub, k)
		}
		return
	}
	if k, ok := x.nv.APSKey(id.Sub); ok {
		k.Tx = c
		x.nv.PutAPSKey(id.Sub, k)
	}
}

// linkFallsLocked notes link keys whose counter a load would lower.
func (x *Host) linkFallsLocked(want *nvimage.Image) {
	next := map[linkKey]zigbee.FrameCounter{}
	for _, s := range sendersOf(want) {
		next[s.linkKey] = s.sent
	}
	for _, s := range sendersOf(x.nv) {
		if c, still := next[s.linkKey]; still && c < s.sent {
			x.home.violateLocked("I2: the counter for the link key of %s on the stick of %s falls from %d to %d", s.device, x.name, s.sent, c)
		}
	}
}

// joinLocked gives a device an address and a link key on this stick.
func (x *Host) joinLocked(ieee zigbee.IEEE) {
	const joinShift = 5
	at, room := x.nv.Free(nvimage.AddrMgr)
	key, more := x.nv.Free(nvimage.TclkTable)
	if !room || !more {
		panic("inmem: the stick's tables are full")
	}
	x.nv.PutAddress(at, nvimage.Address{User: nvimage.UserSecurity, Nwk: zigbee.NwkAddr(0x2000 + at), IEEE: ieee})
	x.nv.PutSeededKey(key, nvimage.SeededKey{IEEE: ieee, Attributes: nvimage.KeyVerified, Shift: joinShift})
	id := nvimage.Entry(nvimage.TclkTable, key)
	s := sendersOf(x.nv)[id]
	x.links[id] = s
	x.hearLinkLocked(s)
}

// leaveLocked takes a device off this stick; it forgets what it has heard.
func (x *Host) leaveLocked(ieee zigbee.IEEE) {
	for _, at := range x.nv.Entries(nvimage.AddrMgr) {
		if a, ok := x.nv.Address(at); ok && a.IEEE == ieee {
			x.nv.ForgetAddress(at)
			x.nv.Erase(nvimage.AddrMgr, at)
		}
	}
	for _, id := range x.nv.LinkKeys() {
		if k, ok := x.nv.SeededKey(id.Sub); ok && k.IEEE == ieee {
			x.nv.Erase(nvimage.TclkTable, id.Sub)
			delete(x.links, id)
		}
	}
	for k := range x.home.linkHeard {
		if k.device == ieee {
			delete(x.home.linkHeard, k)
		}
	}
}

// knowsLocked says that this stick can speak with a device.
func (x *Host) knowsLocked(ieee zigbee.IEEE) bool {
	for _, s := range x.links {
		if s.device == ieee {
			return true
		}
	}
	return false
}
