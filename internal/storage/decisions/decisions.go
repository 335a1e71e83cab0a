// Package decisions keeps what was decided, each decision with everything that it was made
// from: <dir>/<network>.jsonl, one JSON object a line, the newest last, readable with cat.
// When the file is full it becomes <network>.old.jsonl, and the old one goes.
//
// It is for people, and for replaying: nothing is decided by it. So a damaged file is kept
// aside under another name, and a new one is begun.
package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/storage/durable"
)

// Max is how large the two files of a network become together, some 2,000 decisions.
const Max = 8 << 20

// Stored is one decision as it is kept.
type Stored struct {
	Number   int             `json:"number"` // counts up for each network, from 1
	At       time.Time       `json:"at"`
	Program  string          `json:"program,omitempty"` // the release that decided
	Input    decide.Input    `json:"input"`
	Decision decide.Decision `json:"decision"`
}

// Store writes the decisions below one directory. It is for one program at a time, which
// may read beside it; see Last.
type Store struct {
	dir, program string
	disk         durable.Disk
	log          *slog.Logger

	mu   sync.Mutex
	open map[string]*file // by network; guarded by mu
}

// A file is the decisions of one network, open for appending.
type file struct {
	path   string
	log    *durable.Log
	size   int
	number int    // of the last decision
	gist   string // of the last decision that was kept since we started
}

// New returns the decisions below dir, which is created with the first one. program is
// the release that decides.
func New(dir, program string, disk durable.Disk, log *slog.Logger) *Store {
	return &Store{dir: dir, program: program, disk: disk, log: log, open: map[string]*file{}}
}

// Keep keeps a decision with its input and returns, when it is on disk, its number. One that
// says the same as the last one, but for ages, is not kept, and neither is a look while
// nothing else has changed: kept is false then. An action that is carried out is always kept.
func (s *Store) Keep(in decide.Input, d decide.Decision) (number int, kept bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.file(in.Health.Network)
	if err != nil {
		return 0, false, err
	}
	g := gist(d)
	if same(f.gist, g, d.Action) {
		return f.number, false, nil
	}
	line, err := json.Marshal(Stored{f.number + 1, in.Health.Now, s.program, in, d})
	if err != nil {
		return 0, false, fmt.Errorf("keep a decision: %w", err)
	}
	if f, err = s.makeRoom(in.Health.Network, f, len(line)); err != nil {
		return 0, false, err
	}
	if err := f.log.Append(line); err != nil {
		s.shut(in.Health.Network) // the next one looks at the disk again
		return 0, false, err
	}
	f.number, f.gist, f.size = f.number+1, g, f.size+len(line)+1
	return f.number, true, nil
}

// same says that there is nothing new to keep.
func same(before, now string, a decide.Action) bool {
	switch a {
	case decide.Nothing, decide.Wait, decide.Ask:
		return before == now
	case decide.Look:
		return conditions(before) == conditions(now)
	}
	return false
}

// gist is what a decision says, without ages: conditions, then action and reasons.
func gist(d decide.Decision) string {
	var what []string
	for _, c := range d.Conditions {
		what = append(what, string(c.Kind)+" "+c.Node)
	}
	what = append(what, "", string(d.Action), d.Node, d.To)
	for _, r := range d.Reasons {
		what = append(what, age.ReplaceAllString(r, "…"))
	}
	if d.Question != nil {
		what = append(what, d.Question.ID)
	}
	return strings.Join(what, "\n")
}

func conditions(gist string) string {
	before, _, _ := strings.Cut(gist, "\n\n")
	return before
}

// age is a duration as decisions say it, or a number.
var age = regexp.MustCompile(`\d+( (s|min|h|d)\b)?( \d+ (s|min|h)\b)?`)

// Close releases the files. What was kept is on disk already.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for name, f := range s.open {
		err = errors.Join(err, f.log.Close())
		delete(s.open, name)
	}
	return err
}

// file returns the decisions of a network as they are on disk.
func (s *Store) file(network string) (*file, error) {
	if f, ok := s.open[network]; ok {
		return f, nil
	}
	path, err := pathOf(s.dir, network)
	if err != nil {
		return nil, err
	}
	if err := s.disk.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	f := &file{path: path}
	if f.number, f.size, err = lastNumber(s.dir, network); err != nil {
		return nil, err
	}
	if err := s.openLog(f); err != nil {
		return nil, err
	}
	s.open[network] = f
	return f, nil
}

// openLog opens the file, or keeps a damaged one aside and begins a new one.
func (s *Store) openLog(f *file) (err error) {
	f.log, err = s.disk.OpenLog(f.path, 0o600)
	var torn *durable.TornLineError
	if !errors.As(err, &torn) {
		return err
	}
	aside := f.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	if err := s.disk.Rename(f.path, aside); err != nil {
		return err
	}
	s.log.Warn("decisions were damaged; the file was kept aside", "file", f.path, "aside", aside, "line", torn.Line)
	f.size = 0
	f.log, err = s.disk.OpenLog(f.path, 0o600)
	return err
}

// makeRoom puts a full file in place of the old one.
func (s *Store) makeRoom(network string, f *file, more int) (*file, error) {
	if f.size == 0 || f.size+more < Max/2 {
		return f, nil
	}
	was := *f
	s.shut(network)
	if err := s.disk.Rename(f.path, older(f.path)); err != nil {
		return nil, err
	}
	next, err := s.file(network)
	if err == nil {
		next.number, next.gist = max(next.number, was.number), was.gist
	}
	return next, err
}

func (s *Store) shut(network string) {
	if f, ok := s.open[network]; ok {
		_ = f.log.Close()
		delete(s.open, network)
	}
}

func older(path string) string { return strings.TrimSuffix(path, ".jsonl") + ".old.jsonl" }

var safeName = regexp.MustCompile(`^[a-z0-9_-]+$`)

func pathOf(dir, network string) (string, error) {
	if !safeName.MatchString(network) {
		return "", fmt.Errorf("network %q: only a-z, 0-9, _ and - may be in a name", network)
	}
	return filepath.Join(dir, network+".jsonl"), nil
}

// lastNumber is the number of the newest decision, and the size of the newest file.
func lastNumber(dir, network string) (number, size int, err error) {
	all, size, err := read(dir, network)
	if err != nil || len(all) == 0 {
		return 0, size, err
	}
	return slices.MaxFunc(all, func(a, b head) int { return a.Number - b.Number }).Number, size, nil
}
