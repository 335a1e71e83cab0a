package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
	"z2mha/internal/z2m"
	"z2mha/internal/z2m/yamledit"
)

// room is what must stay free on the host beyond the files sent.
const room = 16 << 20

// Stage makes the staging directory hold generation g with this node's own
// configuration keys: it sends what differs, deletes what is too much and reads
// all of it back. The data directory is only read.
func (n *Node) Stage(ctx context.Context, g generation.Generation, depot engine.Depot, progress engine.Progress) (network.StageReport, error) {
	s := &staging{n: n, depot: depot, progress: progress}
	report, err := s.run(ctx, g)
	return report, n.wrap("stage generation "+fmt.Sprint(g.Number), err)
}

type staging struct {
	n        *Node
	depot    engine.Depot
	progress engine.Progress
	files    *remote.Files
	report   network.StageReport
	local    []string // patterns of what stays with the host, as this node is configured
}

// A wanted file has its bytes at hand, or in the depot.
type wanted struct {
	helperapi.File
	content []byte // nil: in the depot
}

func (s *staging) run(ctx context.Context, g generation.Generation) (network.StageReport, error) {
	files, err := s.n.files(ctx, false)
	if err != nil {
		return s.report, err
	}
	s.files = files
	defer s.files.Close()
	want, err := s.want(g)
	if err != nil {
		return s.report, err
	}
	known := s.n.getStaged()
	s.n.setStaged(staged{})
	if known.still(want, time.Now()) && s.bringAll(ctx, want, known) == nil {
		return s.report, nil
	}
	known, err = s.look(ctx, want)
	if err != nil {
		return s.report, err
	}
	return s.report, s.bringAll(ctx, want, known)
}

// bringAll brings what differs from what is there, and reads all of it back.
func (s *staging) bringAll(ctx context.Context, want map[string]wanted, there staged) error {
	if err := s.bring(want, there.files, there.disk); err != nil {
		return err
	}
	return s.verify(ctx, want, there)
}

// look checks the port and lists what is staged, at the same time.
func (s *staging) look(ctx context.Context, want map[string]wanted) (staged, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var listing sync.WaitGroup
	var have helperapi.ManifestResult
	var errList error
	listing.Go(func() {
		if errList = s.files.MkdirAll(s.n.cfg.Staging); errList != nil {
			errList = fmt.Errorf("make %s: %w", s.n.cfg.Staging, errList)
			return
		}
		have, errList = s.n.listStaged(ctx, s.local)
	})
	r, err := s.checkPort(ctx, want)
	if err != nil {
		cancel()
	}
	listing.Wait()
	return staged{files: have.Files, disk: r.Staging, looked: time.Now()}, cmp.Or(err, errList)
}

// want is the generation with this node's own configuration in it.
func (s *staging) want(g generation.Generation) (map[string]wanted, error) {
	want := map[string]wanted{}
	hashes := map[string]string{}
	for _, f := range g.Files {
		hashes[f.Path] = f.SHA256
		want[f.Path] = wanted{File: helperapi.File{Path: f.Path, Size: f.Size, SHA256: f.SHA256, Mode: f.Mode}}
	}
	target := remembered(below(s.files, s.n.cfg.Data))
	merged, err := z2m.Merge(z2m.MergeInput{
		Active: inDepot(s.depot, hashes), Target: target, Keep: s.n.cfg.Keep, Own: s.own(target),
	})
	if err != nil {
		return nil, err
	}
	s.report.Kept, s.report.Warnings = merged.Kept, merged.Warnings
	put := func(name string, content []byte, mode uint32) {
		sum := sha256.Sum256(content)
		if f, ok := want[name]; ok {
			mode = f.Mode
		}
		want[name] = wanted{content: content, File: helperapi.File{
			Path: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Mode: mode,
		}}
	}
	put(z2m.ConfigurationFile, merged.Configuration, 0o644)
	for name, content := range merged.Secrets {
		put(name, content, 0o600)
	}
	s.n.learnBroker(func(name string) ([]byte, error) { return want[name].content, nil })
	s.leaveLogs(want)
	return want, nil
}

// leaveLogs takes out what would lie where this node is configured to log: that stays
// as it is, like the files in log.
func (s *staging) leaveLogs(want map[string]wanted) {
	merged := func(string) ([]byte, error) { return want[z2m.ConfigurationFile].content, nil }
	dir := logDirectory(merged, s.n.cfg.Data)
	if dir == "" {
		return
	}
	s.local = []string{pattern(dir)}
	maps.DeleteFunc(want, func(name string, _ wanted) bool { return strings.HasPrefix(name, dir+"/") })
}

// own are the values that this node has whatever any file says: our marker, and
// the stick when the node's own file names none.
func (s *staging) own(target z2m.Files) map[string]any {
	own := map[string]any{"z2mha.node": s.n.cfg.Marker}
	raw, err := target(z2m.ConfigurationFile)
	if err == nil {
		doc, err := yamledit.Parse(raw)
		if err == nil && yamledit.Lookup(doc.Root(), "serial", "port") != nil {
			return own
		}
	}
	own["serial.port"] = s.n.cfg.Dongle
	return own
}

// bring sends and deletes what differs.
func (s *staging) bring(want map[string]wanted, have []helperapi.File, disk *helperapi.DataDir) error {
	var send, extra []string
	need := int64(room)
	there := map[string]bool{}
	for _, f := range have {
		w, ok := want[f.Path]
		there[f.Path] = ok && f.Link == "" && f.SHA256 == w.SHA256 && f.Mode == w.Mode
		if !ok || f.Link != "" {
			extra = append(extra, f.Path)
		}
	}
	for name, w := range want {
		if !there[name] {
			send, need = append(send, name), need+w.Size
		}
	}
	if disk != nil && disk.FreeBytes < need {
		return &network.RefusedError{What: "send the files",
			Why:    fmt.Sprintf("%s has %d bytes free where %d are needed", s.n.cfg.Staging, disk.FreeBytes, need),
			Remedy: "make room on the host; its data is untouched"}
	}
	for _, name := range extra {
		if err := s.files.Remove(path.Join(s.n.cfg.Staging, name)); err != nil {
			return fmt.Errorf("delete %s from staging: %w", name, err)
		}
	}
	slices.Sort(send)
	return s.sendAll(send, want)
}

// sendAtOnce is how many files are sent at the same time: each takes four trips.
const sendAtOnce = 16

func (s *staging) sendAll(names []string, want map[string]wanted) error {
	if err := s.makeFolders(names); err != nil {
		return err
	}
	var sending errgroup.Group
	sending.SetLimit(sendAtOnce)
	var mu sync.Mutex
	for _, name := range names {
		sending.Go(func() error {
			if err := s.send(want[name]); err != nil {
				return s.explain(name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			s.report.FilesSent++
			s.report.BytesSent += want[name].Size
			if s.progress != nil {
				s.progress("send files", s.report.FilesSent, len(names))
			}
			return nil
		})
	}
	return sending.Wait()
}

// makeFolders makes each directory that the files lie in, once.
func (s *staging) makeFolders(names []string) error {
	made := map[string]bool{".": true}
	for _, name := range names {
		folder := path.Dir(name)
		if made[folder] {
			continue
		}
		made[folder] = true
		if err := s.files.MkdirAll(path.Join(s.n.cfg.Staging, folder)); err != nil {
			return s.explain(folder, err)
		}
	}
	return nil
}

func (s *staging) send(w wanted) error {
	r, err := s.open(w)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := s.files.Create(path.Join(s.n.cfg.Staging, w.Path))
	if err != nil {
		return err
	}
	if _, err = f.ReadFrom(r); err == nil {
		err = f.Chmod(fs.FileMode(w.Mode))
	}
	return errors.Join(err, f.Close())
}

func (s *staging) open(w wanted) (io.ReadCloser, error) {
	if w.content != nil {
		return io.NopCloser(bytes.NewReader(w.content)), nil
	}
	return s.depot.Open(w.SHA256)
}

// explain recognises a full disk, which SFTP has no code for.
func (s *staging) explain(name string, err error) error {
	text := strings.ToLower(err.Error())
	if strings.Contains(text, "no space left") || strings.Contains(text, "disk quota exceeded") {
		return &network.RefusedError{What: "send " + name,
			Why:    "the disk that holds " + s.n.cfg.Staging + " has become full",
			Remedy: "make room on the host and sync again; its data is untouched"}
	}
	return fmt.Errorf("send %s: %w", name, err)
}

// verify reads the staging directory back.
func (s *staging) verify(ctx context.Context, want map[string]wanted, there staged) error {
	got, err := s.n.listStaged(ctx, s.local)
	if err != nil {
		return err
	}
	var files []helperapi.File
	for _, w := range want {
		files = append(files, w.File)
	}
	if differ := append(changes(files, got.Files), got.Changing...); len(differ) > 0 {
		return fmt.Errorf("%s does not hold what was sent: %s; sync again", s.n.cfg.Staging, strings.Join(differ, ", "))
	}
	s.n.setStaged(staged{hash: helperapi.HashFiles(got.Files), local: s.local, files: got.Files, disk: there.disk,
		configuration: want[z2m.ConfigurationFile].SHA256, looked: there.looked})
	return nil
}
