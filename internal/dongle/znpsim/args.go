package znpsim

import "encoding/binary"

// args takes a request's data apart. A request that is too short sets short and
// yields zeros; the dispatcher then answers "bad length" whatever the handler said.
type args struct {
	b     []byte
	short bool
}

func (a *args) bytes(n int) []byte {
	if n > len(a.b) {
		a.short = true
		a.b = nil
		return make([]byte, n)
	}
	v := a.b[:n]
	a.b = a.b[n:]
	return v
}

func (a *args) u8() byte    { return a.bytes(1)[0] }
func (a *args) u16() uint16 { return binary.LittleEndian.Uint16(a.bytes(2)) }
func (a *args) u32() uint32 { return binary.LittleEndian.Uint32(a.bytes(4)) }

// rest is what is left.
func (a *args) rest() []byte { return a.bytes(len(a.b)) }

func le16(dst []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(dst, v) }
func le32(dst []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(dst, v) }
