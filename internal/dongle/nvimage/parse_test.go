package nvimage_test

import (
	"strings"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
)

func TestParseRefuses(t *testing.T) {
	const key = "4c4e72b8412251799abf35251288ca83"
	tests := []struct{ name, dump, want string }{
		{"an empty file", " \n", "the file is empty"},
		{"no items", `{"LEGACY": {}}`, "the image holds no items"},
		{"something else than an object", `[1]`, `line 1: the image: want an object in braces`},
		{"an odd number of digits", "{\n\"LEGACY\": {\n\"NIB\": \"123\"}}", "line 3: NIB: 3 hex digits: an odd number; the file was edited or cut off"},
		{"other characters", "{\n\"LEGACY\": {\"NIB\": \"12zz\"}}", "line 2: NIB: the value holds something else than hex digits; the file was edited"},
		{"an empty value", `{"LEGACY": {"NIB": ""}}`, "line 1: NIB: the value is empty; the file was edited"},
		{"a number", `{"LEGACY": {"NIB": 12}}`, "line 1: NIB: the value is no string of hex digits"},
		{"an unknown item", `{"LEGACY": {"NYB": "12"}}`, `line 1: LEGACY: "NYB" is no item of this format`},
		{"the item that is none", `{"LEGACY": {"INVALID_INDEX": "12"}}`, `line 1: LEGACY: "INVALID_INDEX" is no item of this format`},
		{"a key in the place of a name", `{"LEGACY": {"` + key + `": "NIB"}}`, `line 1: LEGACY: a name of 32 characters is no item of this format`},
		{"an unknown section", `{"metadata": {"format": "zigpy"}}`, `line 1: "metadata" is no section of this format; is this a zigpy-znp NVRAM dump?`},
		{"the same item twice", "{\"LEGACY\": {\"NIB\": \"12\",\n\"NIB\": \"12\"}}", `line 2: LEGACY: "NIB" is there twice; the file was edited`},
		{"the same section twice", "{\"LEGACY\": {\"NIB\": \"12\"},\n\"LEGACY\": {}}", `line 2: the image: "LEGACY" is there twice; the file was edited`},
		{"an empty table", `{"LEGACY": {}, "ADDRMGR": {}}`, "line 1: ADDRMGR is empty; the file was edited"},
		{"an index in other form", `{"ADDRMGR": {"0x0": "12"}}`, `line 1: ADDRMGR: "0x0" is no index: want 0x and four upper-case hex digits, at most 0x03FF`},
		{"an index too high", `{"ADDRMGR": {"0x0400": "12"}}`, `line 1: ADDRMGR: "0x0400" is no index: want 0x and four upper-case hex digits, at most 0x03FF`},
		{"a gap in a table", "{\"ADDRMGR\": {\"0x0000\": \"12\",\n\"0x0002\": \"12\"}}", "line 2: ADDRMGR 0x0002 is there but ADDRMGR 0x0001 is not: a gap in a table; the file was edited"},
		{"a gap in an old table", "{\"LEGACY\": {\n\"LEGACY_TCLK_TABLE_START+1\": \"12\"}}", "line 2: LEGACY_TCLK_TABLE_START+1 is there but LEGACY_TCLK_TABLE_START+0 is not: a gap in a table; the file was edited"},
		{"a file cut off", "{\"LEGACY\": {\"NIB\": \"12\",\n\"EXTADDR\": \"0102", "line 2: the file ends inside EXTADDR; it was cut off"},
		{"a file cut off between items", "{\"LEGACY\": {\"NIB\": \"12\",\n", "line 2: the file ends inside LEGACY; it was cut off"},
		{"something behind the end", "{\"LEGACY\": {\"NIB\": \"12\"}}\n{}", "line 2: something follows the closing brace; the file was edited"},
		{"a missing comma", "{\"LEGACY\": {\"NIB\": \"12\"\n\"EXTADDR\": \"12\"}}", "line 2: in LEGACY: invalid character '\"' after object key:value pair; this is no JSON file, or it was edited"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := nvimage.Parse([]byte(test.dump))
			if err == nil {
				t.Fatal("accepted")
			}
			got, ok := strings.CutPrefix(err.Error(), "parse NVRAM image: ")
			if !ok || got != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
			if strings.Contains(err.Error(), key) {
				t.Error("the error holds a key")
			}
		})
	}
}

func TestParseNoticesEveryCut(t *testing.T) {
	dump := nvimagetest.Formed().Encode()
	for n := 0; n < len(dump)-2; n += 97 {
		if _, err := nvimage.Parse(dump[:n]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(dump))
		}
	}
}

func TestParseDoesNotMindTheOrder(t *testing.T) {
	m := parse(t, []byte(`{"ADDRMGR": {"0x0001": "02", "0x0000": "01"}, "LEGACY": {"NIB": "04", "EXTADDR": "03"}}`))
	if m.Len() != 4 {
		t.Errorf("%d items, want 4", m.Len())
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"LEGACY": {"NIB": "12"}, "ADDRMGR": {"0x0000": "12"}}`))
	f.Add([]byte(`{"LEGACY": {"LEGACY_TCLK_TABLE_START+0": "12", "LEGACY_TCLK_TABLE_START+2": "12"}}`))
	f.Fuzz(func(t *testing.T, dump []byte) {
		m, err := nvimage.Parse(dump)
		if err != nil {
			return
		}
		if !parse(t, m.Encode()).Equal(m) {
			t.Error("what was accepted does not survive the dump")
		}
	})
}
