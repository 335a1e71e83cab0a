package node_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/node"
	"z2mha/internal/host/service"
)

func capture(t *testing.T, p *place, d engine.Depot) network.Capture {
	t.Helper()
	c, err := p.Capture(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func paths(c network.Capture) []string {
	var all []string
	for _, f := range c.Files {
		all = append(all, f.Path)
	}
	return all
}

func TestCapture(t *testing.T) {
	p := newPlace(t)
	p.data(map[string]string{
		"log/2026/log.log":                            "noise",
		"ota/image.bin":                               "firmware",
		"database.db.tmp.2026-01-01":                  "torn",
		"coordinator_backup.json.tmp-1":               "torn",
		"devices.yaml.tmp":                            "torn",
		"external_converters/foo.tmpl.js":             "export default {};\n",
		"external_converters/node_modules/x/index.js": "theirs",
	})
	d := newDepot()
	c := capture(t, p, d)
	want := append(slices.Collect(maps.Keys(home)), "external_converters/foo.tmpl.js")
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), paths(c)); diff != "" {
		t.Error(diff)
	}
	if c.Summary.Devices != 1 || c.Summary.Coordinator != "0x00124b0000000001" {
		t.Errorf("summary %+v", c.Summary)
	}
	fetched := 0
	d.onPut = func(string) { fetched++ }
	write(t, filepath.Join(p.cfg.Data, "state.json"), "{}")
	capture(t, p, d)
	if fetched != 1 {
		t.Errorf("%d files fetched for one that changed", fetched)
	}
}

func TestCaptureLeavesTheConfiguredLogsOut(t *testing.T) {
	p := newPlace(t)
	p.data(map[string]string{
		"configuration.yaml": strings.Replace(home["configuration.yaml"], "advanced:\n",
			"advanced:\n  log_directory: "+p.cfg.Data+"/var/logs/%TIMESTAMP%\n", 1),
		"var/logs/2026/log.log": "noise",
	})
	if got := paths(capture(t, p, newDepot())); slices.Contains(got, "var/logs/2026/log.log") {
		t.Errorf("captured %q", got)
	}
}

func TestCaptureOfAFileThatChanges(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times int
		want  string
	}{
		{"once", 1, ""},
		{"all the time", 1000, "state.json changed each of 5 times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			p.data(nil)
			d := newDepot()
			n := 0
			d.onHas = func(string) { // between the listing and the fetching
				if n++; n <= tt.times {
					write(t, filepath.Join(p.cfg.Data, "state.json"), fmt.Sprintf(`{"n":%d}`, n))
				}
			}
			c, err := p.Capture(t.Context(), d)
			if tt.want != "" {
				wantError(t, err, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(c.Files, func(f generation.File) bool { return f.Path == "state.json" })
			if got, want := string(d.blobs[c.Files[i].SHA256]), `{"n":1}`; got != want {
				t.Errorf("captured %s", got)
			}
		})
	}
}

func TestCaptureRefusesWhatCouldNotStart(t *testing.T) {
	for _, tt := range []struct{ name, file, text, want string }{
		{"an empty database", "database.db", "\n", "database.db"},
		{"a torn database", "database.db", home["database.db"] + `{"id":3,`, "database.db"},
		{"no coordinator backup", "coordinator_backup.json", "", "coordinator_backup.json"},
		{"a key yet to be generated", "configuration.yaml", strings.Replace(home["configuration.yaml"], "pan_id: 0x4a21", "pan_id: GENERATE", 1), "GENERATE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			p.data(map[string]string{tt.file: tt.text})
			_, err := p.Capture(t.Context(), newDepot())
			wantError(t, err, tt.want)
		})
	}
}

// cellar is a stand-by that was once set up by hand.
var cellar = map[string]string{
	"configuration.yaml": `# the cellar, with a comment of its own
serial:
  port: DONGLE # the new stick
mqtt:
  base_topic: zigbee2mqtt
  server: mqtt://localhost:1883
frontend:
  port: 9090
`,
	"database.db":             "old\n",
	"coordinator_backup.json": "{}",
	"log/old.log":             "stays",
}

// staged returns two places and a generation of the first.
func staged(t *testing.T) (active, standby *place, g generation.Generation, d *depot) {
	t.Helper()
	active, standby, d = newPlace(t), newPlace(t), newDepot()
	active.data(nil)
	standby.cfg.Marker = "cellar"
	standby.Node = standby.connect()
	for name, text := range cellar {
		write(t, filepath.Join(standby.cfg.Data, name), strings.ReplaceAll(text, "DONGLE", standby.cfg.Dongle))
	}
	c := capture(t, active, d)
	return active, standby, generation.Generation{Number: 7, Files: c.Files, Summary: c.Summary}, d
}

func stage(t *testing.T, p *place, g generation.Generation, d engine.Depot) network.StageReport {
	t.Helper()
	r, err := p.Stage(t.Context(), g, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStage(t *testing.T) {
	_, p, g, d := staged(t)
	before := tree(t, p.cfg.Data)
	write(t, filepath.Join(p.cfg.Data+".z2mha-staging", "devices/gone.yaml"), "no longer there")
	r := stage(t, p, g, d)
	if r.FilesSent != len(home) || !slices.Contains(r.Kept, "serial") {
		t.Errorf("report %+v", r)
	}
	got := tree(t, p.cfg.Data+".z2mha-staging")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(home)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"a comment of its own", "/tty # the new stick", "pan_id: 0x4a21", "node: cellar", "port: 9090"} {
		if !strings.Contains(got["configuration.yaml"], part) {
			t.Errorf("configuration lacks %q:\n%s", part, got["configuration.yaml"])
		}
	}
	if got["database.db"] != home["database.db"] {
		t.Error("the database is not the active's")
	}
	if diff := cmp.Diff(before, tree(t, p.cfg.Data)); diff != "" {
		t.Errorf("staging touched the data: %s", diff)
	}
	if r := stage(t, p, g, d); r.FilesSent != 0 {
		t.Errorf("staging again sent %d files", r.FilesSent)
	}
}

func TestStageChecksForRoomFirst(t *testing.T) {
	_, p, g, d := staged(t)
	for i := range g.Files {
		if g.Files[i].Path == "state.json" {
			g.Files[i].Size = 1 << 60
		}
	}
	_, err := p.Stage(t.Context(), g, d, nil)
	wantError(t, err, p.cfg.Data+".z2mha-staging", fmt.Sprint(1 << 60)[:6], "make room")
	if files := tree(t, p.cfg.Data+".z2mha-staging"); len(files) > 0 {
		t.Errorf("sent %v all the same", slices.Collect(maps.Keys(files)))
	}
}

func TestStageOnADiskThatBecomesFull(t *testing.T) {
	_, p, g, d := staged(t)
	before := tree(t, p.cfg.Data)
	staging := p.cfg.Data + ".z2mha-staging"
	d.onOpen = func(string) { _ = os.Symlink("/dev/full", filepath.Join(staging, "state.json")) }
	_, err := p.Stage(t.Context(), g, d, nil)
	var refused *network.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	wantError(t, err, "state.json", staging, "has become full", "its data is untouched")
	if diff := cmp.Diff(before, tree(t, p.cfg.Data)); diff != "" {
		t.Error(diff)
	}
	d.onOpen = nil
	stage(t, p, g, d)
}

func TestStageFindsWhatWasNotSent(t *testing.T) {
	_, p, g, d := staged(t)
	for i := range g.Files {
		if g.Files[i].Path == "state.json" {
			d.blobs[g.Files[i].SHA256] = []byte("another")
		}
	}
	_, err := p.Stage(t.Context(), g, d, nil)
	wantError(t, err, "state.json", "sync again")
}

func TestPromoteAndBack(t *testing.T) {
	_, p, g, d := staged(t)
	stage(t, p, g, d)
	before := tree(t, p.cfg.Data)
	for range 2 { // the second changes nothing
		if err := p.Promote(t.Context(), "run-1"); err != nil {
			t.Fatal(err)
		}
	}
	now := tree(t, p.cfg.Data)
	if now["database.db"] != home["database.db"] || now["log/old.log"] != "stays" {
		t.Errorf("promoted to %v", now)
	}
	for range 2 {
		if err := p.Unpromote(t.Context(), "run-1"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, tree(t, p.cfg.Data)); diff != "" {
		t.Error(diff)
	}
	stage(t, p, g, d)
	if err := p.Promote(t.Context(), "run-2"); err != nil {
		t.Fatal(err)
	}
	stage(t, p, g, d)
	if err := p.Promote(t.Context(), "run-3"); err != nil {
		t.Errorf("a third promotion: %v", err)
	}
}

func TestPromoteOnlyWhatWasStaged(t *testing.T) {
	_, p, g, d := staged(t)
	before := tree(t, p.cfg.Data)
	stage(t, p, g, d)
	write(t, filepath.Join(p.cfg.Data+".z2mha-staging", "state.json"), "{}")
	wantError(t, p.Promote(t.Context(), "run-1"), "is not what was staged", "sync again")
	write(t, filepath.Join(p.cfg.Data+".z2mha-staging", "database.db.tmp"), "torn")
	stage(t, p, g, d)

	known := p.Node
	p.Node = p.connect() // as after a crash of ours
	wantError(t, p.Promote(t.Context(), "run-1"), "nothing was staged in this run")
	if diff := cmp.Diff(before, tree(t, p.cfg.Data)); diff != "" {
		t.Error(diff)
	}
	if err := known.Promote(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if err := p.Promote(t.Context(), "run-1"); err != nil {
		t.Errorf("of one that is done: %v", err)
	}
}

// A Stage that came to no end leaves nothing that could be promoted.
func TestPromoteAfterAStageThatFailed(t *testing.T) {
	_, p, g, d := staged(t)
	stage(t, p, g, d)
	write(t, filepath.Join(p.cfg.Data+".z2mha-staging", "state.json"), "changed")
	clear(d.blobs)
	if _, err := p.Stage(t.Context(), g, d, nil); err == nil {
		t.Fatal("staged from an empty depot")
	}
	wantError(t, p.Promote(t.Context(), "run-1"), "staged")
}

// Logs that a node keeps inside its data, at a place of its own, stay there like those
// in log; after a crash of ours too, when nobody knows the place but the helper.
func TestPromoteKeepsTheConfiguredLogs(t *testing.T) {
	_, p, g, d := staged(t)
	config := filepath.Join(p.cfg.Data, "configuration.yaml")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, string(raw)+"advanced:\n  log_directory: "+p.cfg.Data+"/var/logs[1]/%TIMESTAMP%\n")
	write(t, filepath.Join(p.cfg.Data, "var/logs[1]/2026/log.log"), "mine")
	stage(t, p, g, d)
	if err := p.Promote(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	now := tree(t, p.cfg.Data)
	if now["var/logs[1]/2026/log.log"] != "mine" || now["log/old.log"] != "stays" || now["database.db"] != home["database.db"] {
		t.Errorf("promoted to %v", now)
	}
	p.Node = p.connect()
	if err := p.Unpromote(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if now := tree(t, p.cfg.Data); now["var/logs[1]/2026/log.log"] != "mine" {
		t.Errorf("taken back to %v", now)
	}
}

// What the active has where this node logs is not brought over its logs.
func TestStageLeavesTheConfiguredLogsOut(t *testing.T) {
	active, p, _, d := staged(t)
	write(t, filepath.Join(active.cfg.Data, "var/logs/theirs.js"), "theirs")
	c := capture(t, active, d)
	config := filepath.Join(p.cfg.Data, "configuration.yaml")
	raw, _ := os.ReadFile(config)
	write(t, config, string(raw)+"advanced:\n  log_directory: "+p.cfg.Data+"/var/logs\n")
	write(t, filepath.Join(p.cfg.Data, "var/logs/log.log"), "mine")
	stage(t, p, generation.Generation{Number: 8, Files: c.Files, Summary: c.Summary}, d)
	if err := p.Promote(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	now := tree(t, p.cfg.Data)
	if now["var/logs/log.log"] != "mine" || now["var/logs/theirs.js"] != "" {
		t.Errorf("promoted to %v", now)
	}
}

func TestUnpromoteOfARunThatNeverPromoted(t *testing.T) {
	_, p, g, d := staged(t)
	stage(t, p, g, d)
	before := tree(t, p.cfg.Data)
	if err := p.Unpromote(t.Context(), "never"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, tree(t, p.cfg.Data)); diff != "" {
		t.Error(diff)
	}
}

func TestPromoteRefusesWhileDataIsInUse(t *testing.T) {
	_, p, g, d := staged(t)
	stage(t, p, g, d)
	program(t, p.cfg.Data)
	wantError(t, p.Promote(t.Context(), "run-1"), "sleep", "stop Zigbee2MQTT first")
}

var expectation = regexp.MustCompile("--expect [0-9a-f]{64}")

var theRun = regexp.MustCompile("--run end-[A-Z0-9]+")

func TestExplainSaysWhatIsRun(t *testing.T) {
	_, p, g, d := staged(t)
	p.warm()
	for _, tt := range []struct {
		op  engine.Op
		run func() error
	}{
		{engine.OpObserve, func() error { _, err := p.Observe(t.Context()); return err }},
		{engine.OpStop, func() error { return p.StopService(t.Context()) }},
		{engine.OpStopFast, func() error { _, err := p.StopFast(t.Context(), 2*time.Second); return err }},
		{engine.OpStage, func() error { _, err := p.Stage(t.Context(), g, d, nil); return err }},
		{engine.OpPromote, func() error { return p.Promote(t.Context(), "RUN") }},
		{engine.OpCapture, func() error { _, err := p.Capture(t.Context(), newDepot()); return err }},
		{engine.OpUnpromote, func() error { return p.Unpromote(t.Context(), "RUN") }},
	} {
		want := slices.DeleteFunc(p.Explain(tt.op), func(line string) bool { return strings.Contains(line, "  # only when") })
		got := p.commands(func() {
			if err := tt.run(); err != nil {
				t.Errorf("%s: %v", tt.op, err)
			}
		})
		for i, line := range got {
			line = strings.Replace(line, "--also "+p.cfg.Dongle, "--also PORT", 1)
			line = expectation.ReplaceAllString(line, "--expect HASH")
			got[i] = theRun.ReplaceAllString(line, "--run RUN")
		}
		slices.Sort(want) // some are run at the same time
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.op, diff)
		}
	}
}

// Lines that are run only in some cases are marked, and left out here.
func TestExplainOfAStopUnderOpenRC(t *testing.T) {
	p := newPlace(t, func(c *node.Config) { c.Service = service.Config{Kind: service.OpenRC, Unit: "zigbee2mqtt"} })
	p.fake("rc-service", `[ $2 = stop ] || { echo " * status: stopped"; exit 3; }`)
	p.data(nil)
	p.warm()
	want := slices.DeleteFunc(p.Explain(engine.OpStop), func(line string) bool { return strings.Contains(line, "  # only when") })
	got := p.commands(func() {
		if err := p.StopService(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFilesOfRootAreReachedThroughBecome(t *testing.T) {
	p := newPlace(t)
	p.cfg.SSH.Become = "sudo"
	p.Node = p.connect()
	p.data(nil)
	capture(t, p, newDepot())
	for _, line := range p.Explain(engine.OpCapture) {
		if !strings.HasPrefix(line, "sudo -n -- ") {
			t.Errorf("not as root: %s", line)
		}
	}
	if _, err := os.Stat(p.cfg.HelperDir); err != nil {
		t.Error(err)
	}
}
