package znpsim

import (
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// zdpOK and zdpNoDevice are statuses in ZDO responses.
const (
	zdpOK        byte = 0x00
	zdpNoDevice  byte = 0x81
	zdpNotActive byte = 0x83
)

// ZDO requests that a device answers, or the stick itself when they go to 0x0000.
var zdoDeviceCommands = map[uint16]handler{
	0x2500: zdoNwkAddr,
	0x2501: zdoIEEEAddr,
	0x2502: ask(2, 0x82, func(t node, _ []byte) []byte { return append(t.subject(zdpOK), t.nodeDescriptor()...) }),
	0x2503: ask(2, 0x83, func(t node, _ []byte) []byte { return append(t.subject(zdpOK), 0x10, 0xC1) }),
	0x2504: ask(3, 0x84, func(t node, q []byte) []byte { return t.simpleDescriptor(q[2]) }),
	0x2505: ask(2, 0x85, func(t node, _ []byte) []byte { return t.activeEndpoints() }),
	0x2521: ask(19, 0xA1, func(node, []byte) []byte { return []byte{zdpOK} }), // BIND
	0x2522: ask(19, 0xA2, func(node, []byte) []byte { return []byte{zdpOK} }), // UNBIND
	0x2531: ask(1, 0xB1, func(t node, q []byte) []byte { return t.neighbours(q[0]) }),
	0x2532: ask(1, 0xB2, func(_ node, q []byte) []byte { return []byte{zdpOK, 0, q[0], 0} }), // MGMT_RTG
	0x2533: ask(1, 0xB3, func(_ node, q []byte) []byte { return []byte{zdpOK, 0, q[0], 0} }), // MGMT_BIND
	0x2534: zdoLeave,
}

// A node answers ZDO requests: a device, or the stick when dev is nil.
type node struct {
	d   *Dongle
	dev *Device
}

// ask is a request {destination, n bytes} with a response 45/response {source, data}.
func ask(n int, response byte, answer func(t node, q []byte) []byte) handler {
	return func(d *Dongle, a *args) []byte {
		dst, q := zigbee.NwkAddr(a.u16()), a.bytes(n)
		switch {
		case a.short:
			return nil
		case !d.onAir():
			return []byte{statusNotOnNetwork}
		}
		reply := func(src zigbee.NwkAddr, t node) {
			d.after(airTime, func() {
				d.indicate(unpi.ZDO, response, append(le16(nil, uint16(src)), answer(t, q)...))
			})
		}
		if dst == 0 {
			reply(0, node{d: d})
			return []byte{0}
		}
		d.unicast(dst, func(dev *Device) { reply(dst, node{d: d, dev: dev}) }, nil)
		return []byte{0}
	}
}

func (t node) nwk() zigbee.NwkAddr {
	if t.dev == nil {
		return 0
	}
	return t.dev.spec.Nwk
}

func (t node) subject(status byte) []byte { return le16([]byte{status}, uint16(t.nwk())) }

// nodeDescriptor is 13 bytes: type, band, capability, maker, sizes, server mask.
func (t node) nodeDescriptor() []byte {
	const coordinator, router, endDevice, band2400 = 0, 1, 2, 0x40
	kind, capability, server := byte(coordinator), byte(0x8F), byte(0x41)
	if t.dev != nil {
		kind, capability, server = endDevice, t.dev.capability(), 0
		if t.dev.routes() {
			kind = router
		}
	}
	return []byte{kind, band2400, capability, 0x00, 0x00, 80, 160, 0, server, 0x2C, 160, 0, 0}
}

func (t node) endpoints() []endpoint {
	if t.dev == nil {
		return t.d.endpoints
	}
	return []endpoint{t.dev.endpoint()}
}

func (t node) activeEndpoints() []byte {
	eps := t.endpoints()
	out := append(t.subject(zdpOK), byte(len(eps)))
	for _, ep := range eps {
		out = append(out, ep.number)
	}
	return out
}

func (t node) simpleDescriptor(number byte) []byte {
	for _, ep := range t.endpoints() {
		if ep.number == number {
			desc := ep.descriptor()
			return append(append(t.subject(zdpOK), byte(len(desc))), desc...)
		}
	}
	return append(t.subject(zdpNotActive), 0)
}

func (ep endpoint) descriptor() []byte {
	out := le16(le16([]byte{ep.number}, ep.profile), ep.device)
	out = append(out, ep.version, byte(len(ep.in)))
	for _, c := range ep.in {
		out = le16(out, c)
	}
	out = append(out, byte(len(ep.out)))
	for _, c := range ep.out {
		out = le16(out, c)
	}
	return out
}

// neighbours answers MGMT_LQI: a stick lists the devices of its network, a device
// its coordinator.
func (t node) neighbours(start byte) []byte {
	var entries [][]byte
	id := t.d.net.id
	if t.dev != nil {
		entries = append(entries, neighbour(id, id.IEEE, 0, 0x24, 0))
	} else {
		for _, dev := range t.d.m.devices {
			if dev.reaches(id) && dev.believes(id) {
				entries = append(entries, neighbour(id, dev.spec.IEEE, dev.spec.Nwk, dev.relation(), 1))
			}
		}
	}
	const most = 3
	page := entries[min(int(start), len(entries)):]
	page = page[:min(len(page), most)]
	out := []byte{zdpOK, byte(len(entries)), start, byte(len(page))}
	for _, e := range page {
		out = append(out, e...)
	}
	return out
}

// relation packs type, receiver and relationship of a neighbour.
func (dev *Device) relation() byte {
	if dev.routes() {
		return 0x25
	}
	return 0x12
}

func neighbour(id zigbee.Identity, ieee zigbee.IEEE, nwk zigbee.NwkAddr, relation, depth byte) []byte {
	e := append(id.ExtPanID.LE(), ieee.LE()...)
	e = le16(e, uint16(nwk))
	const permitUnknown = 2
	return append(e, relation, permitUnknown, depth, incomingLQI)
}

// zdoNwkAddr asks everybody who has an address; only its owner answers.
func zdoNwkAddr(d *Dongle, a *args) []byte {
	ieee := leIEEE(a)
	a.u16()
	if a.short || !d.onAir() {
		return []byte{statusNotOnNetwork}
	}
	if ieee == d.ieee() {
		d.addressAnswer(0x80, zdpOK, ieee, 0)
		return []byte{0}
	}
	d.askOwner(0x80, d.m.nwkOf(ieee))
	return []byte{0}
}

func zdoIEEEAddr(d *Dongle, a *args) []byte {
	nwk := zigbee.NwkAddr(a.u16())
	a.u16()
	if a.short || !d.onAir() {
		return []byte{statusNotOnNetwork}
	}
	if nwk == 0 {
		d.addressAnswer(0x81, zdpOK, d.ieee(), 0)
		return []byte{0}
	}
	d.askOwner(0x81, nwk)
	return []byte{0}
}

func (d *Dongle) askOwner(response byte, nwk zigbee.NwkAddr) {
	d.unicast(nwk, func(dev *Device) { d.addressAnswer(response, zdpOK, dev.spec.IEEE, dev.spec.Nwk) }, nil)
}

func (d *Dongle) addressAnswer(response, status byte, ieee zigbee.IEEE, nwk zigbee.NwkAddr) {
	data := le16(append([]byte{status}, ieee.LE()...), uint16(nwk))
	d.after(airTime, func() { d.indicate(unpi.ZDO, response, append(data, 0, 0)) })
}

// zdoLeave asks a device to leave; one that believes the stick does.
func zdoLeave(d *Dongle, a *args) []byte {
	dst := zigbee.NwkAddr(a.u16())
	a.bytes(8)
	a.rest() // options
	if a.short || !d.onAir() {
		return []byte{statusNotOnNetwork}
	}
	d.unicast(dst, func(dev *Device) {
		d.indicate(unpi.ZDO, 0xB4, le16Status(dst, zdpOK))
		data := append(le16(nil, uint16(dst)), dev.spec.IEEE.LE()...)
		d.indicate(unpi.ZDO, 0xC9, append(data, 0, 0, 0))
		dev.joined = false
		d.forget(dev.spec.IEEE)
	}, nil)
	return []byte{0}
}

// forget takes a device out of the address manager.
func (d *Dongle) forget(ieee zigbee.IEEE) {
	d.eachAddress(func(i uint16, v []byte) bool {
		if zigbee.IEEEFromLE(v[4:]) != ieee {
			return true
		}
		d.image.Set(addrMgrEntry(i), networkTables[0].entry)
		d.touched()
		return false
	})
}
