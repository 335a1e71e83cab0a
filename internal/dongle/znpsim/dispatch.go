package znpsim

import (
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
)

// Codes of an RPC error.
const (
	rpcBadSubsystem byte = 1
	rpcBadCommand   byte = 2
	rpcBadLength    byte = 4
)

// A handler answers one kind of request. It runs under the medium's lock. Its answer
// is the SRSP's data; nil means that there will be none.
type handler func(d *Dongle, a *args) []byte

// commands are the requests that a stick knows, by CMD0<<8 | CMD1.
var commands map[uint16]handler

func init() {
	commands = make(map[uint16]handler)
	for _, table := range []map[uint16]handler{sysCommands, nvCommands, utilCommands, zdoCommands, zdoDeviceCommands, afCommands, appCnfCommands} {
		for id, h := range table {
			commands[id] = h
		}
	}
}

// receive carries out one frame from the host.
func (d *Dongle) receive(f unpi.Frame) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.stats.Requests++
	d.stats.BytesIn += f.Size()
	d.o.Log.Debug("from host", "stick", d.o.Name, "frame", f)
	if !d.powered || d.booting || d.fault.Silent {
		return
	}
	switch f.Type {
	case unpi.SREQ:
		d.request(f)
	case unpi.AREQ:
		d.notice(f)
	}
}

func (d *Dongle) request(f unpi.Frame) {
	if proxied(f) {
		f.ID = cmdOsalRead // the answer to READ_EXT of this one item comes as that of READ
	}
	h, ok := commands[key(f)]
	if !ok {
		d.refuse(f, rpcCode(f))
		return
	}
	epoch := d.epoch
	a := &args{b: f.Data}
	data := h(d, a)
	switch {
	case d.epoch != epoch: // the request cost the stick its power
	case a.short:
		d.refuse(f, rpcBadLength)
	case data != nil:
		d.answer(unpi.Frame{Type: unpi.SRSP, Subsystem: f.Subsystem, ID: f.ID, Data: data})
	}
}

// notice carries out an AREQ; a stick ignores those it does not know.
func (d *Dongle) notice(f unpi.Frame) {
	if f.Subsystem == unpi.SYS && f.ID == cmdReset && len(f.Data) >= 1 && f.Data[0] <= 1 {
		d.reset()
	}
}

func (d *Dongle) refuse(f unpi.Frame, code byte) {
	name := fmt.Sprintf("%02x/%02x", f.Cmd0(), f.ID)
	if code != rpcBadLength {
		d.stats.Unknown[name]++
	}
	d.o.Log.Warn("request refused", "stick", d.o.Name, "command", name, "code", code)
	d.answer(unpi.Frame{Type: unpi.SRSP, Data: []byte{code, f.Cmd0(), f.ID}})
}

// answer sends the SRSP unless a fault swallows it.
func (d *Dongle) answer(f unpi.Frame) {
	d.stats.Answers++
	if d.fault.losesAnswer() {
		return
	}
	d.emit(f)
}

// indicate sends an AREQ to the host.
func (d *Dongle) indicate(s unpi.Subsystem, id byte, data []byte) {
	d.emit(unpi.Frame{Type: unpi.AREQ, Subsystem: s, ID: id, Data: data})
}

func (d *Dongle) emit(f unpi.Frame) {
	if d.fault.Silent || !d.powered {
		return
	}
	d.stats.BytesOut += f.Size()
	d.o.Log.Debug("to host", "stick", d.o.Name, "frame", f)
	d.link.push(f)
}

func key(f unpi.Frame) uint16 { return uint16(f.Cmd0())<<8 | uint16(f.ID) }

func rpcCode(f unpi.Frame) byte {
	for id := range commands {
		if byte(id>>8) == f.Cmd0() {
			return rpcBadCommand
		}
	}
	return rpcBadSubsystem
}

// proxied says that the request is READ_EXT of POLL_RATE_OLD16.
func proxied(f unpi.Frame) bool {
	if f.Subsystem != unpi.SYS || f.ID != cmdOsalReadExt {
		return false
	}
	a := &args{b: f.Data}
	return a.u16() == nvimage.PollRateOld16 && !a.short
}
