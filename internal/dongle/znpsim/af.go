package znpsim

import (
	"time"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// Statuses of a data request and its confirmation.
const (
	afInvalid       byte = 0x02
	apsNoAck        byte = 0xB7
	apsDuplicate    byte = 0xB8
	nwkNoRoute      byte = 0xCD
	macNoAck        byte = 0xE9
	macExpired      byte = 0xF0
	afAckRequest    byte = 0x10
	firstBroadcast       = 0xFFF8
	incomingLQI     byte = 150
	noAckTime            = 300 * time.Millisecond
	apsAckTime           = 3 * time.Second
	airTime              = 8 * time.Millisecond
	indirectTimeout      = 7 * time.Second
)

// An endpoint is one the host has registered. It is forgotten at reset.
type endpoint struct {
	number  byte
	profile uint16
	device  uint16
	version byte
	in, out []uint16
}

var afCommands = map[uint16]handler{
	0x2400: afRegister,
	0x2401: afDataRequest,
	0x2402: afDataRequestExt,
	0x2410: afInterPan,
}

func afRegister(d *Dongle, a *args) []byte {
	ep := endpoint{number: a.u8(), profile: a.u16(), device: a.u16(), version: a.u8()}
	a.u8()
	ep.in, ep.out = a.clusters(), a.clusters()
	switch {
	case a.short:
		return nil
	case ep.number == 0 || ep.number > 254:
		return []byte{afInvalid}
	case d.endpoint(ep.number) != nil:
		return []byte{apsDuplicate}
	}
	d.endpoints = append(d.endpoints, ep)
	return []byte{0}
}

func (a *args) clusters() []uint16 {
	n := int(a.u8())
	var out []uint16
	for range n {
		if a.short {
			return nil
		}
		out = append(out, a.u16())
	}
	return out
}

func (d *Dongle) endpoint(number byte) *endpoint {
	for i := range d.endpoints {
		if d.endpoints[i].number == number {
			return &d.endpoints[i]
		}
	}
	return nil
}

func afInterPan(d *Dongle, a *args) []byte {
	cmd := a.u8()
	a.rest()
	if cmd > 3 {
		return []byte{afInvalid}
	}
	return []byte{0}
}

// An apsFrame is application data between a stick's endpoint and a device's.
type apsFrame struct {
	dst      zigbee.NwkAddr
	dstEP    byte
	srcEP    byte
	cluster  uint16
	trans    byte
	wantsAck bool
	data     []byte
}

func afDataRequest(d *Dongle, a *args) []byte {
	f := apsFrame{dst: zigbee.NwkAddr(a.u16()), dstEP: a.u8(), srcEP: a.u8(), cluster: a.u16(), trans: a.u8()}
	f.wantsAck = a.u8()&afAckRequest != 0
	a.u8() // radius
	f.data = a.bytes(int(a.u8()))
	return d.sendAPS(a, f)
}

// afDataRequestExt takes group (1), short (2), long (3) and broadcast (15) addresses.
func afDataRequestExt(d *Dongle, a *args) []byte {
	mode, addr := a.u8(), leIEEE(a)
	f := apsFrame{dst: zigbee.NwkAddr(addr), dstEP: a.u8()}
	pan := a.u16()
	f.srcEP, f.cluster, f.trans = a.u8(), a.u16(), a.u8()
	f.wantsAck = a.u8()&afAckRequest != 0
	a.u8()
	f.data = a.bytes(int(a.u16()))
	switch {
	case mode == 0 || mode == 1 || pan != 0: // bound, group and inter-PAN frames reach nobody in particular
		f.dst, f.wantsAck = 0xFFFD, false
	case mode == 3:
		f.dst = d.m.nwkOf(addr)
	}
	return d.sendAPS(a, f)
}

func (d *Dongle) sendAPS(a *args, f apsFrame) []byte {
	switch {
	case a.short:
		return nil
	case d.endpoint(f.srcEP) == nil:
		return []byte{afInvalid}
	case !d.onAir():
		return []byte{statusNotOnNetwork}
	}
	if f.dst >= firstBroadcast {
		d.broadcast()
		d.after(airTime, func() { d.confirm(f, 0) })
		return []byte{0}
	}
	d.unicast(f.dst, func(dev *Device) { dev.application(d, f) }, func(v verdict) { d.confirmAs(f, v) })
	return []byte{0}
}

// confirmAs turns what happened to a frame into the status the host gets. A device
// that hears but does not believe the stick still acknowledges at the MAC.
func (d *Dongle) confirmAs(f apsFrame, v verdict) {
	switch {
	case v == expired:
		d.confirm(f, macExpired)
	case v == unknown:
		d.after(noAckTime, func() { d.confirm(f, nwkNoRoute) })
	case v == deaf:
		d.after(noAckTime, func() { d.confirm(f, macNoAck) })
	case v != accepted && f.wantsAck:
		d.after(apsAckTime, func() { d.confirm(f, apsNoAck) })
	default:
		d.confirm(f, 0)
	}
}

func (d *Dongle) confirm(f apsFrame, status byte) {
	d.indicate(unpi.AF, 0x80, []byte{status, f.srcEP, f.trans})
}

// incoming hands application data of a device to the host. Endpoints that the host
// has not registered get nothing.
func (d *Dongle) incoming(from *Device, f apsFrame) {
	if d.endpoint(f.dstEP) == nil {
		return
	}
	d.m.record.DeliveredTo[d.o.Name]++
	out := le16(le16(nil, 0), f.cluster)
	out = le16(out, uint16(from.spec.Nwk))
	out = append(out, f.srcEP, f.dstEP, 0, incomingLQI, 0)
	out = le32(out, uint32(time.Now().UnixMilli()))
	out = append(out, f.trans, byte(len(f.data)))
	out = append(out, f.data...)
	d.indicate(unpi.AF, 0x81, append(le16(out, uint16(from.spec.Nwk)), 30))
}
