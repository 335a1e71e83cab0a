package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/parcel"
	"z2mha/internal/storage/shelf"
)

const shelfConfig = `mqtt: {server: mqtt://broker.invalid}
networks:
  - name: home
    nodes:
      - {name: attic, host: 192.0.2.1, dongle: /dev/ttyA, data: /data, service: systemd}
      - {name: cellar, host: 192.0.2.2, dongle: /dev/ttyA, data: /data, service: systemd}
shelf: {generations: 2}
`

// dataDirectory is a zip of a small one, whose configuration has this channel.
func dataDirectory(t *testing.T, channel string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range map[string]string{
		"configuration.yaml": `mqtt: {base_topic: zigbee2mqtt, server: 'mqtt://192.0.2.1:1883', user: bob, password: '!secret word'}
advanced:
  channel: ` + channel + `
  pan_id: 0x4a21
  ext_pan_id: [1, 2, 3, 4, 5, 6, 7, 8]
  network_key: [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
devices:
  '0x0000000000000a01': {friendly_name: "lamp\u001b[2J"}
`,
		"secret.yaml": "word: hunter" + channel + "\n",
		"database.db": `{"id":1,"type":"Coordinator","ieeeAddr":"0x00124b0000000001"}
{"id":2,"type":"Router","ieeeAddr":"0x0000000000000a01"}
`,
		"coordinator_backup.json": `{"metadata":{"format":"zigpy/open-coordinator-backup","version":1},
 "coordinator_ieee":"00124b0000000001","pan_id":"4a21","extended_pan_id":"0102030405060708","channel":15,
 "network_key":{"key":"100f0e0d0c0b0a090807060504030201","sequence_number":0,"frame_counter":5250},"devices":[]}`,
	} {
		w, err := z.Create(name)
		check(t, err)
		_, err = io.WriteString(w, content)
		check(t, err)
	}
	check(t, z.Close())
	return out.Bytes()
}

// A bench is a configuration with a state directory in which a server works, and the
// command line beside it.
type shelfBench struct {
	t     *testing.T
	dir   string
	shelf *shelf.Shelf // the server's
}

func newShelfBench(t *testing.T) *shelfBench {
	t.Helper()
	b := &shelfBench{t: t, dir: t.TempDir()}
	check(t, os.WriteFile(b.path("z2mha.yaml"), []byte(shelfConfig), 0o600))
	check(t, os.Mkdir(b.path("state"), 0o700))
	lock, err := durable.Lock(b.path("state"))
	check(t, err)
	t.Cleanup(func() { _ = lock.Unlock() })
	b.shelf, err = shelf.Open(b.path("state/shelf"), shelf.Options{})
	check(t, err)
	check(t, os.WriteFile(b.path("a.zip"), dataDirectory(t, "15"), 0o600))
	check(t, os.WriteFile(b.path("b.zip"), dataDirectory(t, "20"), 0o600))
	check(t, os.WriteFile(b.path("stick.json"), nvimagetest.Formed().Encode(), 0o600))
	return b
}

func (b *shelfBench) path(name string) string { return filepath.Join(b.dir, name) }

// run runs one command and returns what it prints and its exit code.
func (b *shelfBench) run(args ...string) (string, int) {
	b.t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"-c", b.path("z2mha.yaml"), "shelf"}, args...))
	err := root.ExecuteContext(context.Background())
	if err != nil {
		out.WriteString(err.Error())
	}
	if secret := leak(out.String()); secret != "" {
		b.t.Errorf("%v shows %q:\n%s", args, secret, &out)
	}
	return out.String(), exitCode(err)
}

func leak(text string) string {
	for _, secret := range []string{"100f0e", "16, 15", "16,15", "hunter", "\x1b"} {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}

// ok runs a command that must work and print this.
func (b *shelfBench) ok(want []string, args ...string) string {
	b.t.Helper()
	out, code := b.run(args...)
	if code != exitOK {
		b.t.Errorf("%v: exit code %d: %s", args, code, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			b.t.Errorf("%v: there is no %q in\n%s", args, w, out)
		}
	}
	return out
}

func (b *shelfBench) fails(code int, want string, args ...string) {
	b.t.Helper()
	out, got := b.run(args...)
	if got != code || !strings.Contains(out, want) {
		b.t.Errorf("%v: exit code %d, want %d; output %q, want %q", args, got, code, out, want)
	}
}

func TestShelfBesideAServer(t *testing.T) {
	b := newShelfBench(t)
	b.ok([]string{"home: nothing was captured yet"}, "list")
	b.ok([]string{"generation 1 of home: refused: imported by hand, pinned", "used for nothing until"}, "import", b.path("a.zip"))
	b.ok(nil, "import", b.path("b.zip"))
	b.ok([]string{"the whole memory is here"}, "import", b.path("stick.json"))
	_, err := b.shelf.Accept("home", 1, "anna")
	check(t, err)
	b.ok([]string{"NUMBER  TAKEN", "accepted by anna, the newest to use, pinned", "refused: imported by hand, pinned"}, "list")
	var listed map[string][]generation.Generation
	check(t, json.Unmarshal([]byte(b.ok(nil, "list", "--json")), &listed))
	if len(listed["home"]) != 3 || listed["home"][2].StickImage == "" {
		t.Errorf("listed for programs: %+v", listed)
	}
	b.ok([]string{"PAN 0x4a21", "channel 20", "lamp?[2J (0x0000000000000a01)", "database.db, 1"}, "show", "2")
	var shown generation.Generation
	if err := json.Unmarshal([]byte(b.ok(nil, "show", "2", "--json")), &shown); err != nil || shown.Number != 2 {
		t.Errorf("shown for programs: %v", err)
	}
	b.ok([]string{"channel was 15 and is 20", "files changed: configuration.yaml, secret.yaml", "advanced.channel: 15 → 20", "secret.yaml: word: changed (hidden)"}, "compare", "1", "2")
	b.ok([]string{"files removed"}, "compare", "1", "3")
	b.ok([]string{"unpinned"}, "unpin", "2")
	b.ok([]string{"pinned"}, "pin", "2")
}

// An add-on's configuration lies where the Supervisor has it, and names no broker.
func TestShelfInAnAddon(t *testing.T) {
	b := newShelfBench(t)
	text, err := os.ReadFile(b.path("z2mha.yaml"))
	check(t, err)
	_, nodes, _ := strings.Cut(string(text), "\n")
	check(t, os.WriteFile(b.path("z2mha.yaml"), []byte(nodes), 0o600))
	t.Setenv("SUPERVISOR_TOKEN", "a token")
	t.Setenv("Z2MHA_DATA", b.path(""))
	b.ok([]string{"generation 1 of home"}, "import", b.path("a.zip"))
	b.ok([]string{"refused: imported by hand"}, "list")
}

func TestShelfExport(t *testing.T) {
	b := newShelfBench(t)
	b.ok(nil, "import", b.path("a.zip"))
	b.ok(nil, "import", b.path("stick.json"))
	for _, tt := range []struct{ number, form, file string }{{"1", "zip", "out.zip"}, {"1", "backup", "out.json"}, {"2", "znp", "out.znp"}} {
		b.ok([]string{"This file is a secret", "network key"}, "export", tt.number, "--as", tt.form, b.path(tt.file))
		info, err := os.Stat(b.path(tt.file))
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", tt.file, info.Mode().Perm())
		}
		data, err := os.ReadFile(b.path(tt.file))
		check(t, err)
		_, err = parcel.Import(b.shelf, "home", "again", data, time.Now())
		check(t, err)
	}
	check(t, os.WriteFile(b.path("mine"), []byte("mine"), 0o644))
	b.fails(exitRefused, "--force", "export", "1", "--as", "zip", b.path("mine"))
	if got, err := os.ReadFile(b.path("mine")); err != nil || string(got) != "mine" {
		t.Errorf("it was written over: %q, %v", got, err)
	}
	b.ok(nil, "export", "1", "--as", "zip", "--force", b.path("mine"))
	if info, err := os.Stat(b.path("mine")); err != nil || info.Mode().Perm() != 0o600 || info.Size() < 100 {
		t.Errorf("replaced: %v, %v", info, err)
	}
	b.fails(exitRefused, "the stick was not read", "export", "1", "--as", "znp", b.path("none"))
	if _, err := os.Stat(b.path("none")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

func TestShelfUsage(t *testing.T) {
	b := newShelfBench(t)
	b.ok(nil, "import", b.path("a.zip"))
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"no command \"lits\"", []string{"lits"}},
		{"give the number", []string{"show"}},
		{"no number of a generation", []string{"show", "latest"}},
		{"no number of a generation", []string{"pin", "0"}},
		{"give the numbers of two", []string{"compare", "1"}},
		{"say --as zip", []string{"export", "1", b.path("x")}},
		{"say --as zip", []string{"export", "1", "--as", "tar", b.path("x")}},
		{"no such file", []string{"import", b.path("none.zip")}},
		{"no network", []string{"list", "-n", "barn"}},
		{"no network", []string{"show", "1", "-n", "barn"}},
	} {
		b.fails(exitUsage, tt.want, tt.args...)
	}
	b.fails(exitFailed, "no such generation", "show", "7")
	b.fails(exitFailed, "neither a zip file nor JSON", "import", b.path("z2mha.yaml"))
}

// captured puts a generation on the shelf, as a server does.
func (b *shelfBench) captured(content string, at time.Time) generation.Generation {
	b.t.Helper()
	g, err := parcel.Import(b.shelf, "home", "x", dataDirectory(b.t, content), at)
	check(b.t, err)
	_, err = b.shelf.Unpin("home", g.Number)
	check(b.t, err)
	g, err = b.shelf.Accept("home", g.Number, "the test")
	check(b.t, err)
	return g
}

func TestShelfPrune(t *testing.T) {
	b := newShelfBench(t)
	for i, channel := range []string{"11", "12", "13", "14", "15"} {
		b.captured(channel, time.Now().Add(time.Duration(i-5)*time.Hour))
	}
	records := memory.New(b.path("state/records"), durable.Disk{})
	check(t, records.Save(network.Record{Network: "home", Staged: map[string]network.StagedRecord{"cellar": {Generation: 2}}}))
	runs := journal.New(b.path("state/runs"), durable.Disk{})
	data, err := json.Marshal(plan.Switchover("home", "attic", "cellar", nil, plan.DefaultTiming()))
	check(t, err)
	run, err := runs.Create(plan.Entry{Seq: 1, At: time.Now(), Run: "r1", Event: plan.EventPlanned, Data: data}, "home")
	check(t, err)
	b.fails(exitRefused, "run r1 has not ended", "prune")
	check(t, run.Append(plan.Entry{Seq: 2, At: time.Now(), Run: "r1", Event: plan.EventEnded, Note: string(plan.Completed)}))
	check(t, run.Close())

	said := b.ok([]string{"home: would be removed: generations: 3 (1, 3, 4)"}, "prune", "--dry-run")
	if all, err := b.shelf.List("home"); err != nil || len(all) != 5 {
		t.Fatalf("a dry run removed something: %d left, %v", len(all), err)
	}
	done := b.ok([]string{"home: removed: generations: 3 (1, 3, 4)"}, "prune")
	if strings.Replace(said, "would be ", "", 1) != done {
		t.Errorf("said %q, done %q", said, done)
	}
	b.ok([]string{"nothing is to be removed"}, "prune")

	check(t, os.WriteFile(b.path("state/shelf/home/000002.json"), []byte("{"), 0o600))
	b.ok([]string{"cannot be read, and is left alone: " + b.path("state/shelf/home/000002.json"), "no content is removed"}, "prune")
	b.fails(exitFailed, "000002.json", "list")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
