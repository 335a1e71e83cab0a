package znpsim_test

import (
	"io"
	"net"
	"testing"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znpsim"
)

// FuzzHost: whatever a host sends, the stick survives it and answers a ping. Bytes
// of the input are taken as frames {CMD0, CMD1, length, data}, with some sent raw.
func FuzzHost(f *testing.F) {
	f.Add([]byte{0x21, 0x01, 0})
	f.Add([]byte{0x25, 0x40, 2, 0, 0, 0x24, 0x00, 9, 1, 4, 1, 5, 0, 0, 0, 0, 0})
	f.Add([]byte{0x2F, 0x05, 1, 4, 0x21, 0x33, 9, 1, 4, 0, 0, 0, 0, 0, 20})
	f.Add([]byte{0xFE, 0xFF, 0xFE, 0x00, 0xEF})
	f.Add([]byte{0x21, 0x35, 8, 1, 0, 0, 0x21, 0, 2, 1, 1, 0x25, 0x40, 2, 0, 0, 0x25, 0x50, 0})
	f.Add([]byte{0x21, 0x35, 8, 1, 7, 0, 0, 0, 1, 1, 0x41, 0x00, 1, 1, 0x25, 0x40, 2, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		m := znpsim.NewMedium(znpsim.MediumOptions{})
		defer m.Close()
		m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: home})
		d := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Medium: m, Image: znpsim.FormedImage(home)})
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = d.Serve(t.Context(), far)
		}()
		go func() { _, _ = io.Copy(io.Discard, near) }()
		for len(in) >= 3 {
			if in[0] == unpi.SOF { // raw garbage
				_, _ = near.Write(in[:1])
				in = in[1:]
				continue
			}
			n := min(int(in[2]), len(in)-3, unpi.MaxData)
			frame := unpi.Frame{Type: unpi.Type(in[0] & 0xE0), Subsystem: unpi.Subsystem(in[0] & 0x1F), ID: in[1], Data: in[3 : 3+n]}
			_, _ = near.Write(frame.Append(nil))
			in = in[3+n:]
		}
		near.Close()
		<-done
		d.Image()
		m.Record()
	})
}
