package nvimage_test

import (
	"fmt"

	"pgregory.net/rapid"

	"z2mha/internal/dongle/nvimage"
)

// anyImage draws images that a dump can hold: any OSAL items, tables without gaps.
func anyImage() *rapid.Generator[*nvimage.Image] {
	value := rapid.SliceOfN(rapid.Byte(), 1, 30)
	return rapid.Custom(func(t *rapid.T) *nvimage.Image {
		m := nvimage.New()
		m.Set(nvimage.OSAL(nvimage.StartDelay), []byte{1})
		for _, id := range rapid.SliceOfN(rapid.SampledFrom(nvimage.OSALIDs()), 0, 40).Draw(t, "ids") {
			m.Set(id, value.Draw(t, "value"))
			for _, member := range nvimage.LegacyTable(id)[:min(len(nvimage.LegacyTable(id)), rapid.IntRange(0, 5).Draw(t, "members"))] {
				m.Set(member, value.Draw(t, "member"))
			}
		}
		for _, table := range nvimage.Tables() {
			for i := range rapid.Uint16Range(0, 8).Draw(t, "entries") {
				m.Set(nvimage.Entry(table, i), value.Draw(t, "entry"))
			}
		}
		return m
	})
}

func sprint(v any) string { return fmt.Sprintf("%v %+v %x %#v", v, v, v, v) }
