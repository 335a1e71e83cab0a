package datadir_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/host/datadir"
	"z2mha/internal/host/helperapi"
)

func scan(t *testing.T, h home, o datadir.ScanOptions) helperapi.ManifestResult {
	t.Helper()
	if o.Pause == 0 {
		o.Pause = time.Millisecond
	}
	m, err := datadir.Scan(t.Context(), h.at("data"), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func paths(m helperapi.ManifestResult) []string {
	var all []string
	for _, f := range m.Files {
		all = append(all, f.Path)
	}
	return all
}

func TestScanListsSortedWithoutExcluded(t *testing.T) {
	h := newHome(t)
	m := scan(t, h, datadir.ScanOptions{Exclude: datadir.Patterns{"log", "ota", "node_modules", "gone/*"}})
	want := []string{"configuration.yaml", "coordinator_backup.json", "database.db",
		"external_converters/a.js", "state.json", "was-file"}
	if diff := cmp.Diff(want, paths(m)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if !m.Stable || m.Root != h.at("data") {
		t.Errorf("stable %v, root %s", m.Stable, m.Root)
	}
	sum := sha256.Sum256([]byte(oldData["configuration.yaml"]))
	if m.Files[0].SHA256 != hex.EncodeToString(sum[:]) || m.Files[0].Size != int64(len(oldData["configuration.yaml"])) {
		t.Errorf("first file is %+v", m.Files[0])
	}
}

func TestScanNeverFollowsLinks(t *testing.T) {
	h := newHome(t)
	h.write(".", tree{"outside": "secret of somebody else\n"})
	h.write("data", tree{"way-out": "-> " + h.at("outside"), "way-up": "-> .."})
	m := scan(t, h, datadir.ScanOptions{})
	for _, f := range m.Files {
		if strings.HasPrefix(f.Path, "way-") && (f.Link == "" || f.SHA256 != "") {
			t.Errorf("%+v was followed", f)
		}
		if strings.HasPrefix(f.Path, "way-up/") {
			t.Errorf("%s was followed", f.Path)
		}
	}
}

func TestScanSkipsSpecialFiles(t *testing.T) {
	h := newHome(t)
	l, err := net.Listen("unix", h.at("data/sock"))
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	m := scan(t, h, datadir.ScanOptions{})
	if !slices.Equal(m.Skipped, []string{"sock: socket"}) {
		t.Errorf("skipped %q", m.Skipped)
	}
}

// A file that somebody writes all the time is named, and makes the rest wait.
func TestScanNamesTheFileThatKeepsChanging(t *testing.T) {
	h := newHome(t)
	n := 0
	m := scan(t, h, datadir.ScanOptions{Rounds: 3, Progress: func(done, total int) {
		n++
		h.write("data", tree{"state.json": strings.Repeat("x", n)})
	}})
	if m.Stable || !slices.Contains(m.Changing, "state.json") {
		t.Errorf("stable %v, changing %v", m.Stable, m.Changing)
	}
	if slices.Contains(m.Changing, "database.db") {
		t.Errorf("database.db did not change: %v", m.Changing)
	}
}

// A file written once during the first look is read again and then believed.
func TestScanWaitsForRest(t *testing.T) {
	h := newHome(t)
	var once atomic.Bool
	m := scan(t, h, datadir.ScanOptions{Progress: func(int, int) {
		if once.CompareAndSwap(false, true) {
			h.write("data", tree{"configuration.yaml": "", "added.js": "new\n"})
			h.write("data", tree{"configuration.yaml": "whole again\n"})
		}
	}})
	if !m.Stable || !slices.Contains(paths(m), "added.js") {
		t.Errorf("stable %v, files %v", m.Stable, paths(m))
	}
	if m.Files[1].Size != int64(len("whole again\n")) {
		t.Errorf("configuration.yaml is %+v", m.Files[1])
	}
}

func TestScanStopsWhenAsked(t *testing.T) {
	h := newHome(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := datadir.Scan(ctx, h.at("data"), datadir.ScanOptions{Progress: func(int, int) { cancel() }})
	if exitOf(err) != helperapi.ExitInterrupted {
		t.Errorf("got %v", err)
	}
}

func TestScanOfNothing(t *testing.T) {
	_, err := datadir.Scan(t.Context(), "/nowhere/at/all", datadir.ScanOptions{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
