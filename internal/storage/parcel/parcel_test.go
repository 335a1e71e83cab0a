package parcel_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/storage/parcel"
	"z2mha/internal/storage/shelf"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// home is a small data directory, with ids of our own.
var home = map[string]string{
	"configuration.yaml": `version: 5
mqtt: {base_topic: zigbee2mqtt, server: 'mqtt://192.0.2.1:1883'}
advanced:
  channel: 15
  pan_id: 0x4a21
  ext_pan_id: [1, 2, 3, 4, 5, 6, 7, 8]
  network_key: [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
devices:
  '0x0000000000000a01': {friendly_name: lamp}
`,
	"database.db": `{"id":1,"type":"Coordinator","ieeeAddr":"0x00124b0000000001","nwkAddr":0}
{"id":2,"type":"Router","ieeeAddr":"0x0000000000000a01","nwkAddr":4711}
`,
	"coordinator_backup.json": `{"metadata":{"format":"zigpy/open-coordinator-backup","version":1},
 "coordinator_ieee":"00124b0000000001","pan_id":"4a21","extended_pan_id":"0102030405060708","channel":15,
 "network_key":{"key":"100f0e0d0c0b0a090807060504030201","sequence_number":0,"frame_counter":5250},
 "devices":[{"ieee_address":"0000000000000a01","link_key":{"key":"000102030405060708090a0b0c0d0e0f","tx_counter":1}}]}`,
	"external_converters/own.js": "module.exports = {};",
}

func open(t testing.TB) *shelf.Shelf {
	t.Helper()
	s, err := shelf.Open(t.TempDir(), shelf.Options{Now: func() time.Time { return noon }})
	must(t, err)
	return s
}

// zipOf packs files, then lets more spoil it.
func zipOf(t testing.TB, files map[string]string, more ...func(*zip.Writer)) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range files {
		w, err := z.Create(name)
		must(t, err)
		_, err = io.WriteString(w, content)
		must(t, err)
	}
	for _, add := range more {
		add(z)
	}
	must(t, z.Close())
	return out.Bytes()
}

func entry(t testing.TB, name, content string, mode fs.FileMode) func(*zip.Writer) {
	return func(z *zip.Writer) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		must(t, err)
		_, err = io.WriteString(w, content)
		must(t, err)
	}
}

func zeros(t testing.TB, name string, n int) func(*zip.Writer) {
	return func(z *zip.Writer) {
		w, err := z.Create(name)
		must(t, err)
		_, err = w.Write(make([]byte, n))
		must(t, err)
	}
}

func TestImportOfAZip(t *testing.T) {
	packed := zipOf(t, home, entry(t, "log/2026/log.log", "x", 0o644), entry(t, "ota/image", "x", 0o644),
		entry(t, "external_converters/node_modules", "/usr/lib", fs.ModeSymlink|0o777))
	answer, err := json.Marshal(map[string]any{"data": map[string]any{"zip": base64.StdEncoding.EncodeToString(packed)}, "status": "ok"})
	must(t, err)
	for name, data := range map[string][]byte{"a zip": packed, "the answer to bridge/request/backup": answer} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			g, err := parcel.Import(s, "home", "a file", data, noon)
			must(t, err)
			if g.Number != 1 || g.Usable() || !g.Pinned || g.Source != "import" || len(g.Files) != 4 || !g.Whole() {
				t.Errorf("%+v", g)
			}
			if m := g.Summary.Members; len(m) != 1 || m[0].Name != "lamp" || !m[0].LinkKey || g.Summary.PanID != "0x4a21" {
				t.Errorf("summary %+v", g.Summary)
			}
			if _, err := s.Latest("home"); !errors.Is(err, generation.ErrNone) {
				t.Errorf("it became the latest by itself: %v", err)
			}
			_, err = s.Accept("home", 1, "anna")
			must(t, err)
		})
	}
}

func TestImportRefuses(t *testing.T) {
	many := func(z *zip.Writer) {
		for i := range 5001 {
			_, err := z.Create(fmt.Sprint("f", i))
			must(t, err)
		}
	}
	large := func(z *zip.Writer) {
		for i := range 5 {
			zeros(t, fmt.Sprint("f", i), 30<<20)(z)
		}
	}
	whole := zipOf(t, home)
	without := func(name string) map[string]string {
		out := map[string]string{}
		for n, content := range home {
			if n != name {
				out[n] = content
			}
		}
		return out
	}
	reset := nvimagetest.Reset(nvimagetest.Hardware).Encode()
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "neither a zip file nor JSON"},
		{"a text", []byte("network_key: 1"), "neither a zip file nor JSON"},
		{"a zip that was cut off", whole[:len(whole)-40], "not whole"},
		{"a path that leads out", zipOf(t, home, entry(t, "../../etc/cron.d/x", "x", 0o644)), "would lead out"},
		{"a path from the root", zipOf(t, home, entry(t, "/etc/passwd", "x", 0o644)), "would lead out"},
		{"a path with backslashes", zipOf(t, home, entry(t, `..\x`, "x", 0o644)), "would lead out"},
		{"a path in disguise", zipOf(t, home, entry(t, "a/./b", "x", 0o644)), "would lead out"},
		{"a link", zipOf(t, home, entry(t, "secret.yaml", "/etc/shadow", fs.ModeSymlink|0o777)), "no ordinary file"},
		{"a file twice", zipOf(t, home, entry(t, "database.db", "x", 0o644)), "twice"},
		{"too many files", zipOf(t, home, many), "more than 5000"},
		{"a bomb of one file", zipOf(t, home, zeros(t, "bomb", 33<<20)), "unpacks to more than 33554432 bytes"},
		{"a bomb of several", zipOf(t, home, large), "unpacks to more than 134217728 bytes"},
		{"a directory without configuration", zipOf(t, without("configuration.yaml")), "could not start from it: configuration.yaml"},
		{"a directory without backup of the stick", zipOf(t, without("coordinator_backup.json")), "coordinator_backup.json: does not exist"},
		{"an answer that is not base64", []byte(`{"data":{"zip":"%%"}}`), "base64"},
		{"a torn coordinator backup", []byte(home["coordinator_backup.json"][:200]), "neither a zip file nor JSON"},
		{"a coordinator backup without key", []byte(strings.Replace(home["coordinator_backup.json"], "100f0e0d", "", 1)), "network_key.key"},
		{"a dump of a stick without network", reset, "tells of no network"},
		{"other JSON", []byte(`{"a":1}`), "no section of this format"},
		{"too much", bytes.Repeat([]byte(" "), parcel.MaxBytes+1), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			_, err := parcel.Import(s, "home", "a file", tt.data, noon)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v\nwant %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "0e0d") || strings.Contains(err.Error(), "16, 15") {
				t.Errorf("the error tells a secret: %v", err)
			}
			if _, err := s.Newest("home"); !errors.Is(err, generation.ErrNone) {
				t.Errorf("something was added: %v", err)
			}
		})
	}
}

// What goes out comes back as the same.
func TestThereAndBack(t *testing.T) {
	m := nvimagetest.Formed()
	for _, tt := range []struct {
		form parcel.Form
		data []byte
	}{
		{parcel.Zip, zipOf(t, home)}, {parcel.Dump, m.Encode()}, {parcel.Backup, []byte(home["coordinator_backup.json"])},
	} {
		t.Run(string(tt.form), func(t *testing.T) {
			s := open(t)
			first, err := parcel.Import(s, "home", "a file", tt.data, noon)
			must(t, err)
			out, err := parcel.Export(s, first, tt.form)
			must(t, err)
			if tt.form != parcel.Zip && !bytes.Equal(out, tt.data) {
				t.Error("exported something else")
			}
			second, err := parcel.Import(s, "home", "a file", out, noon)
			must(t, err)
			first.Number = second.Number
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("imported again (-first +second):\n%s", diff)
			}
		})
	}
}

func TestImportOfADump(t *testing.T) {
	s := open(t)
	g, err := parcel.Import(s, "home", "a file", nvimagetest.Formed().Encode(), noon)
	must(t, err)
	if g.Summary.PanID != nvimagetest.PanID.String() || g.Summary.KeyFingerprint != nvimagetest.Key().Fingerprint() || len(g.Summary.Warnings) != 1 {
		t.Errorf("summary %+v", g.Summary)
	}
	if published, ok := nvimagetest.Published(t, "formed"); ok {
		g, err := parcel.Import(s, "home", "a file", published, noon)
		must(t, err)
		out, err := parcel.Export(s, g, parcel.Dump)
		must(t, err)
		if !bytes.Equal(out, published) {
			t.Error("the published dump is changed on its way")
		}
	}
}

func TestExportRefuses(t *testing.T) {
	s := open(t)
	image, err := parcel.Import(s, "home", "a file", nvimagetest.Formed().Encode(), noon)
	must(t, err)
	state, err := parcel.Import(s, "home", "a file", []byte(home["coordinator_backup.json"]), noon)
	must(t, err)
	for _, tt := range []struct {
		g    generation.Generation
		form parcel.Form
	}{{image, parcel.Zip}, {image, parcel.Backup}, {state, parcel.Dump}} {
		_, err := parcel.Export(s, tt.g, tt.form)
		if _, ok := errors.AsType[*network.RefusedError](err); !ok {
			t.Errorf("%d as %s: %v", tt.g.Number, tt.form, err)
		}
	}
	image.StickImage = state.Files[0].SHA256
	if _, err := parcel.Export(s, image, parcel.Dump); err == nil {
		t.Error("something that is no image was exported as one")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
