package znpsim_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znpsim"
)

func osal(id uint16) []byte      { return le(uint64(id), 2) }
func nv(item, sub uint16) []byte { return cat([]byte{1}, le(uint64(item), 2), le(uint64(sub), 2)) }

// TestStrictness is the table of answers that a helper for NVRAM relies on.
func TestStrictness(t *testing.T) {
	pollRate := []byte{0xE8, 0x03}
	seventeen := make([]byte, 17)
	tests := []struct {
		name string
		cmd  uint16
		data []byte
		want []byte
	}{
		{"OSAL LENGTH of an absent item is 0", 0x2113, osal(0x0060), le(0, 2)},
		{"OSAL LENGTH of POLL_RATE_OLD16 is 0", 0x2113, osal(0x0024), le(0, 2)},
		{"OSAL LENGTH of an item", 0x2113, osal(0x0082), le(24, 2)},
		{"OSAL LENGTH above the store's ids is 0", 0x2113, osal(0x0F00), le(0, 2)},
		{"OSAL READ of an absent item", 0x2108, cat(osal(0x0060), []byte{0}), []byte{2, 0}},
		{"OSAL READ beyond the end", 0x2108, cat(osal(0x0003), []byte{1}), []byte{2, 0}},
		{"OSAL READ_EXT of an absent item", 0x211C, cat(osal(0x0060), le(0, 2)), []byte{2, 0}},
		{"OSAL READ_EXT beyond the end", 0x211C, cat(osal(0x0082), le(24, 2)), []byte{2, 0}},
		{"OSAL READ_EXT from the middle", 0x211C, cat(osal(0x0049), le(1, 2)), []byte{0, 1, 0xFF}},
		{"OSAL READ of POLL_RATE_OLD16", 0x2108, cat(osal(0x0024), []byte{0}), cat([]byte{0, 2}, pollRate)},
		{"OSAL READ of a blocked item", 0x2108, cat(osal(0x0069), []byte{0}), []byte{2, 0}},
		{"OSAL WRITE of an absent item", 0x2109, cat(osal(0x0060), []byte{0, 1, 0x55}), []byte{2}},
		{"OSAL WRITE over the end", 0x2109, cat(osal(0x0003), []byte{0, 2, 0, 0}), []byte{2}},
		{"OSAL WRITE over the end by its offset", 0x2109, cat(osal(0x0003), []byte{1, 1, 0}), []byte{2}},
		{"OSAL WRITE_EXT of an absent item", 0x211D, cat(osal(0x0060), le(0, 2), le(1, 2), []byte{0x55}), []byte{2}},
		{"OSAL WRITE_EXT of a whole item", 0x211D, cat(osal(0x0003), le(0, 2), le(1, 2), []byte{0}), []byte{0}},
		{"ITEM_INIT of an item with the same length", 0x2107, cat(osal(0x003A), le(17, 2), []byte{17}, seventeen), []byte{0}},
		{"ITEM_INIT of an item with another length", 0x2107, cat(osal(0x003A), le(16, 2), []byte{0}), []byte{9}},
		{"ITEM_INIT creates from full data", 0x2107, cat(osal(0x0060), le(1, 2), []byte{1, 0}), []byte{9}},
		{"ITEM_INIT with short data says created", 0x2107, cat(osal(0x0060), le(2, 2), []byte{1, 0}), []byte{9}},
		{"ITEM_INIT above the store's ids says created", 0x2107, cat(osal(0x0F00), le(1, 2), []byte{1, 0x55}), []byte{9}},
		{"ITEM_INIT of POLL_RATE_OLD16", 0x2107, cat(osal(0x0024), le(2, 2), []byte{2, 1, 1}), []byte{0}},
		{"OSAL DELETE of an absent item", 0x2112, cat(osal(0x0060), le(1, 2)), []byte{9}},
		{"OSAL DELETE with a wrong length", 0x2112, cat(osal(0x0082), le(21, 2)), []byte{0x0C}},
		{"OSAL DELETE", 0x2112, cat(osal(0x0082), le(24, 2)), []byte{0}},
		{"OSAL DELETE of POLL_RATE_OLD16", 0x2112, cat(osal(0x0024), le(2, 2)), []byte{0}},
		{"NV_LENGTH of an absent item", 0x2132, nv(1, 0), le(0, 4)},
		{"NV_LENGTH of an entry", 0x2132, nv(4, 199), le(20, 4)},
		{"NV_LENGTH behind a table", 0x2132, nv(4, 200), le(0, 4)},
		{"NV_READ of an absent item", 0x2133, cat(nv(1, 0), le(0, 2), []byte{12}), []byte{10, 0}},
		{"NV_READ over the end", 0x2133, cat(nv(4, 0), le(0, 2), []byte{21}), []byte{5, 0}},
		{"NV_READ over the end by its offset", 0x2133, cat(nv(4, 0), le(1, 2), []byte{20}), []byte{5, 0}},
		{"NV_READ of an OSAL item", 0x2133, cat(nv(0, 0x0087), le(0, 2), []byte{1}), []byte{0, 1, 0}},
		{"NV_CREATE of an existing item", 0x2130, cat(nv(4, 0), le(20, 4)), []byte{13}},
		{"NV_CREATE", 0x2130, cat(nv(1, 0), le(12, 4)), []byte{0}},
		{"NV_WRITE with an offset", 0x2134, cat(nv(4, 0), le(1, 2), []byte{1, 0}), []byte{4}},
		{"NV_WRITE of an absent item creates it", 0x2134, cat(nv(1, 0), le(0, 2), []byte{1, 7}), []byte{0}},
		{"NV_UPDATE of an absent item creates it", 0x2135, cat(nv(1, 0), []byte{1, 7}), []byte{0}},
		{"NV_DELETE of an absent item", 0x2131, nv(1, 0), []byte{10}},
		{"NV_DELETE", 0x2131, nv(4, 0), []byte{0}},
		{"another NVINTF system", 0x2133, cat([]byte{7}, le(1, 2), le(0, 2), le(0, 2), []byte{1}), []byte{9, 0}},
		{"unknown command", 0x2199, nil, []byte{2, 0x21, 0x99}},
		{"unknown subsystem", 0x3E01, nil, []byte{1, 0x3E, 0x01}},
		{"SAPI, which this firmware lacks", 0x2604, []byte{0}, []byte{1, 0x26, 0x04}},
		{"request without its data", 0x2108, nil, []byte{4, 0x21, 0x08}},
		{"PING", 0x2101, nil, []byte{0x59, 0x06}},
		{"ASSOC_FIND_DEVICE of nobody", 0x2749, []byte{0}, bytes.Repeat([]byte{0xFF}, 36)},
		{"ASSOC_GET_WITH_ADDRESS of nobody", 0x274A, cat(le(0x1234, 8), le(0, 2)), cat([]byte{0xFE, 0xFF, 0xFF, 0xFF, 0xFF}, make([]byte, 31))},
		{"EXT_FIND_GROUP of none", 0x254A, []byte{242, 0x84, 0x0B}, cat([]byte{1}, make([]byte, 18))},
		{"AF_DATA_REQUEST from an unregistered endpoint", 0x2401, cat(le(1, 2), []byte{1, 1}, le(6, 2), []byte{1, 0, 30, 0}), []byte{2}},
		{"ZDO in HOLD", 0x2505, cat(le(0, 2), le(0, 2)), []byte{0xC2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := attach(t, znpsim.NewDongle(znpsim.DongleOptions{Name: "attic"}))
				got := h.request(tt.cmd, tt.data...)
				if diff := cmp.Diff(tt.want, got.Data); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestWritesReplace shows what the offset of an OSAL write is worth, and which of
// the answers "created" are true.
func TestWritesReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic"})
		h := attach(t, d)
		length := func(id uint16) int { v, _ := d.Image().Get(nvimage.OSAL(id)); return len(v) }
		check := func(what string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: length %d, want %d", what, got, want)
			}
		}
		h.answer(0x2109, cat(osal(0x003B), []byte{4, 2, 1, 2})...)
		check("a write of a part truncates the item", length(0x003B), 2)
		h.answer(0x2107, cat(osal(0x0060), le(2, 2), []byte{1, 0})...)
		check("ITEM_INIT with short data", length(0x0060), 0)
		h.answer(0x2107, cat(osal(0x0060), le(1, 2), []byte{1, 0x55})...)
		check("ITEM_INIT", length(0x0060), 1)
		h.answer(0x2109, cat(osal(0x0024), []byte{0, 2, 1, 2})...)
		check("a write of POLL_RATE_OLD16 truncates POLL_RATE", length(0x0035), 2)
		f := h.request(0x211C, cat(osal(0x0024), le(0, 2))...)
		if f.ID != 0x08 || !bytes.Equal(f.Data, []byte{0, 2, 1, 2}) {
			t.Errorf("READ_EXT of POLL_RATE_OLD16 answered %v %x, want the answer of READ", f, f.Data)
		}
		h.answer(0x2109, cat(osal(1), []byte{0, 8}, home.IEEE.LE())...)
		if got := h.answer(0x2104); !bytes.Equal(got, home.IEEE.LE()) {
			t.Errorf("address %x right after EXTADDR was written, want %x", got, home.IEEE.LE())
		}
	})
}

func TestGarbageIsSwallowed(t *testing.T) {
	tests := []struct {
		name string
		junk []byte
	}{
		{"the boot loader's magic byte", []byte{0xEF}},
		{"a burst of them", bytes.Repeat([]byte{0xEF}, 256)},
		{"a frame with a wrong checksum", []byte{0xFE, 0, 0x21, 1, 0x21}},
		{"an EZSP reset", []byte{0x1A, 0xC0, 0x38, 0xBC, 0x7E}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := attach(t, znpsim.NewDongle(znpsim.DongleOptions{Name: "attic"}))
				h.write(tt.junk)
				if got := h.answer(0x2101); len(got) != 2 {
					t.Errorf("ping after garbage: %x", got)
				}
			})
		})
	}
}
