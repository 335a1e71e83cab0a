package nvram_test

import (
	"context"
	"encoding/binary"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

// A fake is a stick's memory behind the commands that reading and writing it need,
// with the answers of the real firmware, refusals included. It boots into HOLD.
type fake struct {
	memory   *nvimage.Image
	firmware nvimage.Stick
	hardware zigbee.IEEE
	state    znp.DeviceState
	stuck    bool // a reset leaves the state as it is
	boots    int

	// fault is asked before a request is carried out; nil lets it pass.
	fault func(request unpi.Frame) error
	far   *znptest.Stick
}

func newFake(memory *nvimage.Image) *fake {
	return &fake{memory: memory.Clone(), firmware: nvimagetest.Stick, hardware: 0x00124b00bb000002}
}

func (f *fake) dial(tb testing.TB) *znp.Client {
	tb.Helper()
	c, far := znptest.Dial(tb, znp.Options{}, f.handle)
	f.far = far
	if err := c.Connect(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return c
}

func (f *fake) handle(r unpi.Frame) ([]byte, error) {
	if f.fault != nil {
		if err := f.fault(r); err != nil {
			return nil, err
		}
	}
	switch {
	case r.Type == unpi.AREQ && r.Subsystem == unpi.SYS && r.ID == 0x00:
		f.boot()
		return nil, nil
	case r.Subsystem == unpi.UTIL && r.ID == 0x00:
		return f.deviceInfo(), nil
	case r.Subsystem == unpi.SYS:
		if answer, ok := f.sys(r.ID, r.Data); ok {
			return answer, nil
		}
	}
	return nil, &znp.RPCError{Code: 2}
}

func (f *fake) boot() {
	f.boots++
	if !f.stuck {
		f.state = znp.StateHold
	}
	age(f.memory)
	if v, _ := f.memory.Get(nvimage.OSAL(nvimage.StartupOption)); len(v) > 0 && v[0]&2 != 0 {
		f.memory.Set(nvimage.OSAL(nvimage.ExtAddr), f.hardware.LE())
	}
	f.far.Indicate(unpi.SYS, 0x80, 0, 2, f.firmware.Product, 2, 7, 1)
}

// age advances the counters of used link keys as every boot does.
func age(m *nvimage.Image) {
	for _, id := range m.IDs() {
		v, _ := m.Get(id)
		switch {
		case id.Item == nvimage.TclkTable && len(v) == 20 && binary.LittleEndian.Uint64(v[8:]) != 0:
			bump(v, 11)
		case id.Item == nvimage.ApsKeyDataTable && len(v) == 24 && v[0] != 0:
			bump(v[16:], 1001)
		default:
			continue
		}
		m.Set(id, v)
	}
}

func bump(counter []byte, by uint32) {
	binary.LittleEndian.PutUint32(counter, binary.LittleEndian.Uint32(counter)+by)
}

func (f *fake) deviceInfo() []byte {
	addr, _ := f.memory.Get(nvimage.OSAL(nvimage.ExtAddr))
	if len(addr) != 8 {
		addr = f.hardware.LE()
	}
	info := append([]byte{0}, addr...)
	return append(info, 0xFE, 0xFF, 7, byte(f.state), 0)
}

func (f *fake) sys(id byte, d []byte) ([]byte, bool) {
	switch id {
	case 0x01: // PING
		return binary.LittleEndian.AppendUint16(nil, f.firmware.Capabilities), true
	case 0x02: // VERSION
		v := []byte{2, f.firmware.Product, 2, 7, 1}
		return binary.LittleEndian.AppendUint32(v, f.firmware.Revision), true
	case 0x08: // OSAL_NV_READ
		return f.osalRead(u16(d), int(d[2])), true
	case 0x1C: // OSAL_NV_READ_EXT
		return f.osalRead(u16(d), int(u16(d[2:]))), true
	case 0x12: // OSAL_NV_DELETE
		return f.osalDelete(u16(d), int(u16(d[2:]))), true
	case 0x31: // NV_DELETE
		return f.nvDelete(nvID(d)), true
	case 0x32: // NV_LENGTH
		v, _ := f.memory.Get(nvID(d))
		return binary.LittleEndian.AppendUint32(nil, uint32(len(v))), true
	case 0x33: // NV_READ
		return f.nvRead(nvID(d), int(u16(d[5:])), int(d[7])), true
	case 0x35: // NV_UPDATE
		return f.nvUpdate(nvID(d), d[6:6+int(d[5])]), true
	}
	return nil, false
}

func (f *fake) osalRead(id uint16, offset int) []byte {
	if id == nvimage.PollRateOld16 {
		v, _ := f.memory.Get(nvimage.OSAL(nvimage.PollRate))
		return []byte{0, 2, v[0], v[1]}
	}
	v, _ := f.memory.Get(nvimage.OSAL(id))
	if offset >= len(v) {
		return []byte{0x02, 0}
	}
	v = v[offset:min(len(v), offset+247)]
	return append([]byte{0, byte(len(v))}, v...)
}

func (f *fake) osalDelete(id uint16, length int) []byte {
	v, ok := f.memory.Get(nvimage.OSAL(id))
	switch {
	case !ok:
		return []byte{0x09}
	case len(v) != length:
		return []byte{0x0C}
	}
	f.memory.Delete(nvimage.OSAL(id))
	return []byte{0}
}

func (f *fake) nvDelete(id nvimage.ID) []byte {
	if _, ok := f.memory.Get(id); !ok {
		return []byte{0x0A}
	}
	f.memory.Delete(id)
	return []byte{0}
}

func (f *fake) nvRead(id nvimage.ID, offset, length int) []byte {
	v, ok := f.memory.Get(id)
	switch {
	case !ok:
		return []byte{0x0A, 0}
	case offset+length > len(v):
		return []byte{0x05, 0}
	}
	return append([]byte{0, byte(length)}, v[offset:offset+length]...)
}

func (f *fake) nvUpdate(id nvimage.ID, v []byte) []byte {
	f.memory.Set(id, v)
	return []byte{0}
}

func nvID(d []byte) nvimage.ID { return nvimage.ID{Item: u16(d[1:]), Sub: u16(d[3:])} }

func u16(d []byte) uint16 { return binary.LittleEndian.Uint16(d) }

// tear leaves half of an item, as a power cut in the middle of its write may.
func (f *fake) tear(id nvimage.ID) {
	v, _ := f.memory.Get(id)
	if len(v) > 1 && id != nvimage.OSAL(nvimage.ExtAddr) {
		f.memory.Set(id, v[:len(v)/2])
	}
}
