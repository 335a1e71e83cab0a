package znpsim

import "z2mha/internal/dongle/unpi"

// A parser cuts what the host sends into frames the way the firmware does: it waits
// for FE, believes LEN, and throws the whole claimed frame away when the checksum is
// wrong. Bytes before FE, such as 0xEF for the boot loader, are skipped. It is less
// patient with garbage than unpi.Decoder: a host has to cope with that.
type parser struct {
	buf  []byte // from SOF on; empty while waiting for it
	size int    // of the whole frame, once LEN is known
}

// next takes one byte and returns a frame when that completed it.
func (p *parser) next(b byte) (unpi.Frame, bool) {
	if len(p.buf) == 0 && b != unpi.SOF {
		return unpi.Frame{}, false
	}
	p.buf = append(p.buf, b)
	if len(p.buf) == 2 {
		p.size = int(b) + 5
	}
	if len(p.buf) < 2 || len(p.buf) < p.size {
		return unpi.Frame{}, false
	}
	raw := p.buf
	p.buf = nil
	var fcs byte
	for _, c := range raw[1:] {
		fcs ^= c // the checksum itself cancels out
	}
	if fcs != 0 {
		return unpi.Frame{}, false
	}
	return unpi.Frame{Type: unpi.Type(raw[2] & 0xE0), Subsystem: unpi.Subsystem(raw[2] & 0x1F), ID: raw[3], Data: raw[4 : len(raw)-1]}, true
}
