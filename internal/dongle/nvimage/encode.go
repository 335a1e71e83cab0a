package nvimage

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// legacySection holds the OSAL items in a dump; it is always there and comes first.
const legacySection = "LEGACY"

// Encode returns the image as zigpy-znp's nvram_read writes it, byte for byte: JSON
// indented by four spaces, LEGACY first, then the non-empty tables, keys in dump
// order, values as lower-case hex in stored order, one newline at the end. There is
// no metadata and no checksum; who needs to know the firmware keeps a Stick beside.
func (m *Image) Encode() []byte {
	sections := m.sections()
	var b bytes.Buffer
	b.WriteString("{\n")
	for i, s := range sections {
		s.encode(&b)
		b.WriteString(lineEnd(i, len(sections)))
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// A section is one member of the dump's top level.
type section struct {
	name    string
	members []member
}

type member struct {
	key   string
	value []byte
}

func (m *Image) sections() []section {
	var byItem [NwkSecMaterialTable + 1][]member
	for _, id := range m.ordered() {
		if id.Known() {
			byItem[id.Item] = append(byItem[id.Item], member{id.key(), m.items[id]})
		}
	}
	out := []section{{legacySection, byItem[0]}}
	for _, table := range Tables() {
		if members := byItem[table]; len(members) > 0 {
			out = append(out, section{TableName(table), members})
		}
	}
	return out
}

// key is the item's member name inside its section.
func (id ID) key() string {
	if id.IsOSAL() {
		return osalKeys[id.Sub]
	}
	const digits = "0123456789ABCDEF"
	return string([]byte{'0', 'x', digits[id.Sub>>12], digits[id.Sub>>8&0xF], digits[id.Sub>>4&0xF], digits[id.Sub&0xF]})
}

func (s section) encode(b *bytes.Buffer) {
	if len(s.members) == 0 {
		fmt.Fprintf(b, "    %q: {}", s.name)
		return
	}
	fmt.Fprintf(b, "    %q: {\n", s.name)
	for i, m := range s.members {
		b.WriteString(`        "` + m.key + `": "`)
		b.Write(hex.AppendEncode(b.AvailableBuffer(), m.value))
		b.WriteString(`"` + lineEnd(i, len(s.members)))
	}
	b.WriteString("    }")
}

func lineEnd(i, n int) string {
	if i+1 < n {
		return ",\n"
	}
	return "\n"
}
