package nvimage_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
)

func TestDumpsAreReadAndWrittenByteForByte(t *testing.T) {
	small, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	dumps := map[string][]byte{"small": small}
	if formed, ok := nvimagetest.Published(t, "formed"); ok {
		dumps["published"] = formed
	}
	for name, dump := range dumps {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(string(dump), string(parse(t, dump).Encode())); diff != "" {
				t.Errorf("encoded image differs (-file +encoded):\n%s", diff)
			}
		})
	}
}

func TestDumpOfAnOlderToolMeansTheSame(t *testing.T) {
	dump, ok := nvimagetest.Published(t, "reset")
	if !ok {
		return
	}
	if diff := cmp.Diff(object(t, dump), object(t, parse(t, dump).Encode())); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyImageIsWrittenAsTheToolDoes(t *testing.T) {
	want := "{\n    \"LEGACY\": {}\n}\n"
	if got := string(nvimage.New().Encode()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestItemsWithoutANameAreLeftOutOfADump(t *testing.T) {
	m := nvimagetest.Formed()
	want := m.Hash()
	m.Set(nvimage.OSAL(0x00FE), []byte{1})
	m.Set(nvimage.Entry(8, 0), []byte{1})
	if m.Hash() != want {
		t.Error("the hash changed")
	}
	if ids := m.IDs(); ids[len(ids)-1] != nvimage.Entry(8, 0) {
		t.Errorf("the last item is %v", ids[len(ids)-1])
	}
}

func TestOSALIDs(t *testing.T) {
	ids := nvimage.OSALIDs()
	if len(ids) != 142 {
		t.Fatalf("%d ids, want 142", len(ids))
	}
	members := 0
	for _, id := range ids {
		members += len(nvimage.LegacyTable(id))
	}
	if want := 11 + 12 + 238 + 254 + 15 + 15; members != want {
		t.Errorf("%d members of old tables, want %d", members, want)
	}
}

func TestIDsAreNamed(t *testing.T) {
	tests := []struct {
		id   nvimage.ID
		want string
	}{
		{nvimage.OSAL(nvimage.Nib), "NIB (0x0021)"},
		{nvimage.OSAL(0x0112), "LEGACY_TCLK_TABLE_START+1 (0x0112)"},
		{nvimage.OSAL(nvimage.LegacyTclkTableEnd), "LEGACY_TCLK_TABLE_END (0x01FF)"},
		{nvimage.Entry(nvimage.TclkTable, 12), "TCLK_TABLE[12]"},
		{nvimage.OSAL(0x00FE), "item 0/0x00fe"},
		{nvimage.Entry(9, 1), "item 9/0x0001"},
	}
	for _, test := range tests {
		if got := test.id.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestEveryImageSurvivesTheDump(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyImage().Draw(t, "image")
		got, err := nvimage.Parse(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !m.Equal(got) || m.Hash() != got.Hash() {
			t.Fatal("the image that came back differs")
		}
	})
}

func TestPrintingAnImageShowsNoValue(t *testing.T) {
	m := nvimagetest.Formed()
	if got := strings.TrimSpace(sprint(m)); got != strings.TrimSpace(strings.Repeat("image of 581 items ", 4)) {
		t.Errorf("printed %q", got)
	}
}

func parse(t testing.TB, dump []byte) *nvimage.Image {
	t.Helper()
	m, err := nvimage.Parse(dump)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func object(t testing.TB, b []byte) map[string]map[string]string {
	t.Helper()
	var o map[string]map[string]string
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
