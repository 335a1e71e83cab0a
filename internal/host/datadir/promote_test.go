package datadir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/host/datadir"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// tree is a directory's files by path; a value that begins with "->" is a link.
type tree map[string]string

var (
	oldData = tree{
		"configuration.yaml":               "old configuration\n",
		"database.db":                      "old devices\n",
		"coordinator_backup.json":          "{\"old\":true}\n",
		"state.json":                       "{}\n",
		"gone/only.js":                     "old converter\n",
		"external_converters/a.js":         "old a\n",
		"external_converters/node_modules": "-> /opt/zigbee2mqtt/node_modules",
		"log/2026/log.log":                 "lines\n",
		"ota/firmware.bin":                 "image\n",
		"was-file":                         "a file\n",
	}
	newData = tree{
		"configuration.yaml":       "new configuration\n",
		"database.db":              "new devices\n",
		"coordinator_backup.json":  "{\"new\":true}\n",
		"external_converters/a.js": "new a\n",
		"external_converters/b.js": "new b\n",
		"device_icons/lamp.png":    "icon\n",
		"was-file/now-a-folder":    "nested\n",
	}
	promoted = with(newData, tree{
		"external_converters/node_modules": "-> /opt/zigbee2mqtt/node_modules",
		"log/2026/log.log":                 "lines\n",
		"ota/firmware.bin":                 "image\n",
	})
	local = datadir.Patterns{"log", "ota", "node_modules"}
)

func with(a, b tree) tree {
	c := maps.Clone(a)
	maps.Copy(c, b)
	return c
}

// A home is a host with data and staging beside one another.
type home struct {
	t      *testing.T
	dir    string
	expect string // hash of what was staged
}

func newHome(t *testing.T) home {
	h := home{t: t, dir: tempDir(t)}
	h.write("data", oldData)
	h.write("staging", newData)
	h.expect = h.hash("staging")
	return h
}

// hash is that of a staging directory as it is now.
func (h home) hash(dir string) string {
	h.t.Helper()
	m, err := datadir.Scan(h.t.Context(), h.at(dir), datadir.ScanOptions{Exclude: local, Pause: time.Millisecond})
	if err != nil || !m.Stable || m.Hash == "" {
		h.t.Fatalf("scan gave %+v, %v", m, err)
	}
	return m.Hash
}

func (h home) at(name string) string { return filepath.Join(h.dir, name) }

func (h home) write(dir string, files tree) {
	h.t.Helper()
	for name, content := range files {
		path := filepath.Join(h.dir, dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h home) read(dir string) tree {
	h.t.Helper()
	files := tree{}
	root := h.at(dir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if target, err := os.Readlink(path); err == nil {
			files[name] = "-> " + target
			return nil
		}
		content, err := os.ReadFile(path)
		files[name] = string(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	return files
}

func (h home) promotion(fault func(durable.Op, string) error) datadir.Promotion {
	return datadir.Promotion{
		Staging: h.at("staging"), Data: h.at("data"), Previous: h.at("kept/previous"),
		Run: "run-1", Local: local, Journal: h.at("run-1.journal"), Fault: fault, Expect: h.expect,
	}
}

// nothingLost fails when the content of any file of before is nowhere any more.
func (h home) nothingLost() {
	h.t.Helper()
	var all []string
	for _, content := range h.read(".") {
		all = append(all, content)
	}
	everywhere := strings.Join(all, "\x00")
	for _, side := range []tree{oldData, newData} {
		for name, content := range side {
			if !strings.Contains(everywhere, content) {
				h.t.Errorf("%s with %q is lost", name, content)
			}
		}
	}
}

func (h home) want(dir string, files tree) {
	h.t.Helper()
	if diff := cmp.Diff(files, h.read(dir)); diff != "" {
		h.t.Errorf("%s (-want +got):\n%s", dir, diff)
	}
}

// A faulty way makes of a fault the one that a promotion is to meet.
type faulty func(func(durable.Op, string) error) func(durable.Op, string) error

// ways are the two methods; the second stands for two file systems.
var ways = map[string]faulty{
	helperapi.MethodExchange: func(f func(durable.Op, string) error) func(durable.Op, string) error { return f },
	helperapi.MethodRename: func(f func(durable.Op, string) error) func(durable.Op, string) error {
		return func(op durable.Op, path string) error {
			if op == datadir.OpExchange {
				return datadir.ErrNoExchange
			}
			if f != nil {
				return f(op, path)
			}
			return nil
		}
	},
}

func TestPromote(t *testing.T) {
	for method, way := range ways {
		t.Run(method, func(t *testing.T) {
			h := newHome(t)
			result, err := h.promotion(way(nil)).Do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := helperapi.PromoteResult{Method: method, Data: h.at("data"), Previous: h.at("kept/previous"), Files: len(newData)}
			if diff := cmp.Diff(want, result); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			h.want("data", promoted)
			h.nothingLost()

			again, err := h.promotion(way(nil)).Do(t.Context())
			if err != nil || again != result {
				t.Errorf("the same run again gave %+v, %v", again, err)
			}
			undone, err := h.promotion(way(nil)).Undo(t.Context())
			if err != nil || !undone.Undone {
				t.Fatalf("undo gave %+v, %v", undone, err)
			}
			h.want("data", oldData)
			h.nothingLost()
			if _, err := h.promotion(way(nil)).Do(t.Context()); exitOf(err) != helperapi.ExitRefused {
				t.Errorf("promoting a run that was taken back gave %v", err)
			}
		})
	}
}

// A crash at any change, and then at some change of what follows, can be continued
// and can be taken back.
func TestPromoteCrashes(t *testing.T) {
	for method, way := range ways {
		changes := countChanges(t, way, func(p datadir.Promotion) error {
			_, err := p.Do(t.Context())
			return err
		})
		for crash := range changes {
			for _, second := range []string{"continued", "taken back", "taken back in two goes"} {
				t.Run(fmt.Sprintf("%s/%d/%s", method, crash+1, second), func(t *testing.T) {
					t.Parallel()
					h := newHome(t)
					_, err := h.promotion(way(durable.CrashAt(crash + 1))).Do(t.Context())
					if !errors.Is(err, durable.ErrCrashed) {
						t.Fatalf("crashed with %v", err)
					}
					h.nothingLost()
					h.recover(second, way, crash)
					h.nothingLost()
				})
			}
		}
	}
}

// countChanges is the number of changes an undisturbed act makes.
func countChanges(t *testing.T, way faulty, act func(datadir.Promotion) error) int {
	t.Helper()
	count := 0
	h := newHome(t)
	err := act(h.promotion(way(func(durable.Op, string) error { count++; return nil })))
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func (h home) recover(second string, way faulty, crash int) {
	h.t.Helper()
	if second == "continued" {
		if _, err := h.promotion(way(nil)).Do(h.t.Context()); err != nil {
			h.t.Fatalf("continue: %v", err)
		}
		h.want("data", promoted)
		return
	}
	if second == "taken back in two goes" {
		_, _ = h.promotion(way(durable.CrashAt(crash/2 + 1))).Undo(h.t.Context())
		h.nothingLost()
	}
	// Taking an exchange back needs the exchange.
	if _, err := h.promotion(way(nil)).Undo(h.t.Context()); err != nil {
		h.t.Fatalf("take back: %v", err)
	}
	h.want("data", oldData)
}

// Undo of a finished promotion, cut short at every change.
func TestUndoCrashes(t *testing.T) {
	for method, way := range ways {
		changes := countChanges(t, way, func(p datadir.Promotion) error {
			_, err := p.Do(t.Context())
			return err
		})
		for crash := range changes {
			t.Run(fmt.Sprintf("%s/%d", method, crash+1), func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				if _, err := h.promotion(way(nil)).Do(t.Context()); err != nil {
					t.Fatal(err)
				}
				_, _ = h.promotion(way(durable.CrashAt(crash + 1))).Undo(t.Context())
				h.nothingLost()
				if _, err := h.promotion(way(nil)).Undo(t.Context()); err != nil {
					t.Fatalf("take back again: %v", err)
				}
				h.want("data", oldData)
				h.nothingLost()
			})
		}
	}
}

func TestPromoteRefuses(t *testing.T) {
	busy := func(string) ([]helperapi.Holder, error) {
		return []helperapi.Holder{{PID: 7, Command: "node index.js", Why: "working directory"}}, nil
	}
	tests := []struct {
		name    string
		arrange func(h home, p *datadir.Promotion)
		exit    helperapi.Exit
		says    string
	}{
		{"a data directory in use", func(_ home, p *datadir.Promotion) { p.InUse = busy }, helperapi.ExitBusy, "node index.js (pid 7"},
		{"staging without coordinator_backup.json", func(h home, _ *datadir.Promotion) {
			_ = os.Remove(h.at("staging/coordinator_backup.json"))
		}, helperapi.ExitRefused, "no whole coordinator_backup.json"},
		{"an empty database.db", func(h home, _ *datadir.Promotion) {
			_ = os.Truncate(h.at("staging/database.db"), 0)
		}, helperapi.ExitRefused, "no whole database.db"},
		{"a place for the old data that is taken", func(h home, _ *datadir.Promotion) {
			h.write("kept/previous", tree{"x": "y"})
		}, helperapi.ExitRefused, "exists"},
		{"a relative path", func(_ home, p *datadir.Promotion) { p.Data = "data" }, helperapi.ExitUsage, "absolute"},
		{"staging within data", func(h home, p *datadir.Promotion) { p.Staging = h.at("data/staging") }, helperapi.ExitUsage, "in the other"},
		{"a full disk", func(_ home, p *datadir.Promotion) {
			p.Fault = ways[helperapi.MethodRename](func(op durable.Op, path string) error {
				if op == "copy" && strings.Contains(path, "previous") {
					return fmt.Errorf("copy: %w", errNoSpace)
				}
				return nil
			})
		}, helperapi.ExitNoSpace, "is unchanged"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHome(t)
			p := h.promotion(nil)
			test.arrange(h, &p)
			_, err := p.Do(t.Context())
			if exitOf(err) != test.exit || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v (%v), want %v that says %q", err, exitOf(err), test.exit, test.says)
			}
			h.want("data", oldData)
		})
	}
}

func TestPromoteKeepsOwnersAndModes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving files away takes root")
	}
	for method, way := range ways {
		t.Run(method, func(t *testing.T) {
			h := newHome(t)
			chown(t, h.at("data"), 1001, 1002, 0o750)
			chown(t, h.at("data/configuration.yaml"), 1003, 1004, 0o600)
			chown(t, h.at("staging/device_icons/lamp.png"), 0, 0, 0o640)
			h.expect = h.hash("staging")
			if _, err := h.promotion(way(nil)).Do(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"data":                          "1001:1002 drwxr-x---",
				"data/configuration.yaml":       "1003:1004 -rw-------",
				"data/device_icons":             "1001:1002 drwxr-xr-x",
				"data/device_icons/lamp.png":    "1001:1002 -rw-r-----",
				"kept/previous/database.db":     "0:0 -rw-r--r--",
				"data/external_converters/a.js": "0:0 -rw-r--r--",
			}
			for name, w := range want {
				if got := ownerAndMode(t, h.at(name)); got != w {
					t.Errorf("%s is %s, want %s", name, got, w)
				}
			}
		})
	}
}

func TestPromoteToAHostWithoutData(t *testing.T) {
	h := newHome(t)
	if err := os.RemoveAll(h.at("data")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.promotion(nil).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want("data", newData)
}
