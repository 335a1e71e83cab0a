package nvimage_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
)

func TestDiffNamesWhatToChange(t *testing.T) {
	want, have := nvimagetest.Formed(), nvimagetest.Formed()
	want.Set(nvimage.OSAL(nvimage.Nib), make([]byte, 116))
	want.Set(nvimage.OSAL(nvimage.UserDesc), make([]byte, 3))
	want.Set(nvimage.OSAL(nvimage.ZigpyZnpMigrationID), []byte{1})
	have.Set(nvimage.Entry(nvimage.TclkIcTable, 0), []byte{1, 2})
	var got []string
	for _, c := range nvimage.Diff(want, have) {
		got = append(got, c.String())
	}
	diff := cmp.Diff([]string{
		"ZIGPY_ZNP_MIGRATION_ID (0x005F): absent, want 1 bytes",
		"NIB (0x0021): other content (116 bytes)",
		"USERDESC (0x0081): 17 bytes, want 3",
		"TCLK_IC_TABLE[0]: 2 bytes too many on the stick",
	}, got)
	if diff != "" {
		t.Error(diff)
	}
}

func TestDiffIgnoresWhatMeansNothing(t *testing.T) {
	want, have := nvimagetest.Formed(), nvimagetest.Formed()
	have.Delete(nvimage.OSAL(nvimage.PollRateOld16))
	patch(have, nvimage.OSAL(nvimage.NwkKey), 17, 1, 2, 3)
	if changes := nvimage.Diff(want, have); len(changes) > 0 {
		t.Errorf("got %v", changes)
	}
	patch(have, nvimage.OSAL(nvimage.NwkKey), 20, 9)
	if changes := nvimage.Diff(want, have); len(changes) != 1 {
		t.Errorf("another counter in NWKKEY: got %v", changes)
	}
}

// ignored makes two images equal where Diff does not look.
func ignored(m *nvimage.Image) *nvimage.Image {
	m = m.Clone()
	m.Delete(nvimage.OSAL(nvimage.PollRateOld16))
	if v, ok := m.Get(nvimage.OSAL(nvimage.NwkKey)); ok && len(v) == 24 {
		patch(m, nvimage.OSAL(nvimage.NwkKey), 17, 0, 0, 0)
	}
	return m
}

func TestDiffIsEmptyExactlyForEqualImages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyImage().Draw(t, "a")
		b := a.Clone()
		if rapid.Bool().Draw(t, "other") {
			b = anyImage().Draw(t, "b")
		}
		if got, want := len(nvimage.Diff(a, b)) == 0, ignored(a).Equal(ignored(b)); got != want {
			t.Fatalf("Diff empty: %v, images equal: %v", got, want)
		}
	})
}

func TestApplyingADiffGivesTheWantedImage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, have := anyImage().Draw(t, "want"), anyImage().Draw(t, "have")
		for _, c := range nvimage.Diff(want, have) {
			if c.Want == nil {
				have.Delete(c.ID)
			} else {
				have.Set(c.ID, c.Want)
			}
		}
		if changes := nvimage.Diff(want, have); len(changes) > 0 {
			t.Fatalf("left over: %v", changes)
		}
	})
}

func TestAChangePrintsNoValue(t *testing.T) {
	c := nvimage.Change{ID: nvimage.OSAL(nvimage.PrecfgKey), Want: []byte{0xAB, 0xCD}, Have: []byte{0xEF, 0x01}}
	if got := sprint(c); strings.Contains(strings.ToLower(got), "abcd") || strings.Contains(got, "171") {
		t.Errorf("printed %q", got)
	}
}

// patch overwrites part of an item.
func patch(m *nvimage.Image, id nvimage.ID, offset int, b ...byte) {
	v, _ := m.Get(id)
	copy(v[offset:], b)
	m.Set(id, v)
}
