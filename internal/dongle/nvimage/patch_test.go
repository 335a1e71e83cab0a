package nvimage_test

import (
	"bytes"
	"slices"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

func TestIsAhead(t *testing.T) {
	link, aps := nvimage.Entry(nvimage.TclkTable, 1), nvimage.Entry(nvimage.ApsKeyDataTable, 0)
	material, nwk := nvimage.Entry(nvimage.NwkSecMaterialTable, 0), nvimage.OSAL(nvimage.NwkKey)
	nib := nvimage.OSAL(nvimage.Nib)
	tests := []struct {
		name  string
		id    nvimage.ID
		at    int // byte that changes
		by    int
		ahead bool
	}{
		{"accepts a higher link key counter", link, 1, 1, true},
		{"refuses a lower link key counter", link, 0, -1, false},
		{"refuses another receive counter", link, 4, 1, false},
		{"refuses another device", link, 8, 1, false},
		{"accepts a higher application key counter", aps, 17, 1, true},
		{"refuses another application key", aps, 3, 1, false},
		{"refuses a higher network counter", material, 2, 1, false},
		{"refuses a lower network counter", material, 1, -1, false},
		{"refuses a higher counter in NWKKEY", nwk, 22, 1, false},
		{"accepts other padding in NWKKEY", nwk, 18, 1, true},
		{"refuses another network key", nwk, 5, 1, false},
		{"refuses any change elsewhere", nib, 40, 1, false},
		{"accepts no change", nib, 40, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			known, _ := nvimagetest.Formed().Get(test.id)
			have := bytes.Clone(known)
			have[test.at] += byte(test.by)
			if got := nvimage.IsAhead(test.id, have, known); got != test.ahead {
				t.Errorf("got %v", got)
			}
			if nvimage.IsAhead(test.id, have[:len(have)-1], known) || nvimage.IsAhead(test.id, nil, known) {
				t.Error("less than a whole item was accepted")
			}
		})
	}
}

func TestPatched(t *testing.T) {
	known := nvimagetest.Formed()
	known.ViewPollRate()
	want := known.Clone()
	want.Delete(nvimage.OSAL(nvimage.PollRateOld16))
	want.Delete(nvimage.OSAL(nvimage.UserDesc))
	want.Set(nvimage.OSAL(nvimage.PollRate), bytes.Repeat([]byte{7}, 40))
	link := nvimage.Entry(nvimage.TclkTable, 0)
	got := known.Patched(want, map[nvimage.ID]zigbee.FrameCounter{link: 4000})
	if changes := nvimage.Diff(want, got); len(changes) != 1 || changes[0].ID != link {
		t.Errorf("differs in %v", changes)
	}
	if c, _ := got.Transmit(link); c != 4000 {
		t.Errorf("counter %d", c)
	}
	if v, _ := got.Get(nvimage.OSAL(nvimage.PollRateOld16)); !bytes.Equal(v, []byte{7, 7}) {
		t.Errorf("POLL_RATE_OLD16 is %x", v)
	}
}

func TestParsePart(t *testing.T) {
	all := nvimagetest.Formed()
	ids := []nvimage.ID{nvimage.OSAL(nvimage.Nib), nvimage.Entry(nvimage.TclkTable, 5), nvimage.Entry(nvimage.AddrMgr, 7)}
	part := all.Part(append(ids, nvimage.OSAL(nvimage.SceneTable)))
	if part.Len() != len(ids) {
		t.Errorf("part %v", part.IDs())
	}
	got, err := nvimage.ParsePart(part.Encode())
	if err != nil || !got.Equal(part) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := nvimage.Parse(part.Encode()); err == nil {
		t.Error("a part was taken for a whole image")
	}
	if got, err := nvimage.ParsePart(nvimage.New().Encode()); err != nil || got.Len() != 0 {
		t.Errorf("nothing at all gave %v, %v", got, err)
	}
	if _, err := nvimage.ParsePart(part.Encode()[:60]); err == nil {
		t.Error("a part that was cut off was read")
	}
}

func TestOwnSecMaterial(t *testing.T) {
	m := nvimagetest.Formed()
	other := append([]byte{1, 2, 0, 0}, zigbee.ExtPanID(77).LE()...)
	m.Set(nvimage.Entry(nvimage.NwkSecMaterialTable, 1), other)
	own := []nvimage.ID{nvimage.Entry(nvimage.NwkSecMaterialTable, 0)}
	if got := m.OwnSecMaterial(); !slices.Equal(got, own) {
		t.Errorf("got %v", got)
	}
	generic := nvimage.Entry(nvimage.NwkSecMaterialTable, 4)
	m.Set(generic, append([]byte{9, 0, 0, 0}, bytes.Repeat([]byte{0xFF}, 8)...))
	if got := m.OwnSecMaterial(); !slices.Equal(got, append(own, generic)) {
		t.Errorf("with the generic one: %v", got)
	}
}
