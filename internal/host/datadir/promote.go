package datadir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// A Promotion makes a staging directory the data directory.
//
// Where it can, both directories change places in one step of the file system;
// staging is then gone. Where it cannot (two file systems, the data directory is a
// mount point), the old files are copied to Previous and checked, the new ones are
// copied beside their places and checked, and then each is renamed into place,
// configuration.yaml last; staging stays as it is.
//
// In both ways what exists keeps its owner and mode, Local entries stay, the old data
// lies under Previous afterwards, and a crash at any point leaves every file of
// either side whole somewhere: Do goes on from there, Undo goes back.
type Promotion struct {
	Staging  string // absolute, like the next two
	Data     string
	Previous string // must not exist
	Run      string
	Local    Patterns
	Expect   string // helperapi.HashFiles of staging, local entries apart; "" begins nothing
	Journal  string // file that outlives reboots

	// InUse names the processes that use a directory; nil asks nobody. What it
	// cannot see it cannot forbid.
	InUse func(dir string) ([]helperapi.Holder, error)

	// Fault is asked before every change; see durable.Disk.
	Fault func(durable.Op, string) error

	// Of an undo only: bring back whatever was there, with its owners.
	restore bool
}

func (p Promotion) disk() disk { return disk{durable.Disk{Fault: p.Fault}} }

// Do promotes, or continues a promotion that was cut short; done already, it returns
// the same result again. It waits while another process promotes or takes back here;
// when ctx ends meanwhile that is ExitBusy. Once it has begun, ctx does not stop it.
// Errors: ExitBusy when a process uses the data directory, ExitRefused when staging is
// not fit or the directories are not as the journal left them; then nothing was changed.
func (p Promotion) Do(ctx context.Context) (helperapi.PromoteResult, error) {
	p, err := p.resolve()
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	release, err := p.lock(ctx)
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	defer release()
	return p.do(context.WithoutCancel(ctx))
}

// do is Do for who holds the locks.
func (p Promotion) do(ctx context.Context) (helperapi.PromoteResult, error) {
	j, err := p.load()
	if err == nil && j == nil {
		j, err = p.begin(ctx)
	}
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	if j.Phase == phaseUndoing || j.Phase == phaseUndone {
		return helperapi.PromoteResult{}, helperapi.Errorf(helperapi.ExitRefused,
			"run %s was taken back; promote again under a new run id", j.Run)
	}
	if p.Expect != "" && p.Expect != helperapi.HashFiles(j.New) {
		return helperapi.PromoteResult{}, helperapi.Errorf(helperapi.ExitRefused,
			"run %s promotes something else than what was staged now; promote that under a new run id", j.Run)
	}
	if j.Phase == phaseDone {
		return j.result(), nil
	}
	if err := p.as(j).carryOut(ctx, j); err != nil {
		return helperapi.PromoteResult{}, err
	}
	return j.result(), nil
}

// carryOut tries the exchange first and falls back to renaming files.
func (p Promotion) carryOut(ctx context.Context, j *journal) error {
	if j.Method == helperapi.MethodExchange {
		err := p.byExchange(ctx, j)
		if err == nil {
			return p.conclude(ctx, j)
		}
		if !errors.Is(err, errNoExchange) {
			return err
		}
		j.Method = helperapi.MethodRename
		if err := p.save(j); err != nil {
			return err
		}
	}
	if err := p.byRename(ctx, j); err != nil {
		return err
	}
	return p.conclude(ctx, j)
}

func (j *journal) result() helperapi.PromoteResult {
	return helperapi.PromoteResult{Method: j.Method, Data: j.Data, Previous: j.KeptAt, Files: len(j.New)}
}

// resolve follows links in the directories' names, since a link cannot be exchanged
// for what it points to.
func (p Promotion) resolve() (Promotion, error) {
	for _, dir := range []*string{&p.Staging, &p.Data, &p.Previous} {
		if !filepath.IsAbs(*dir) {
			return p, helperapi.Errorf(helperapi.ExitUsage, "directory %q: give an absolute path", *dir)
		}
		*dir = resolveExisting(filepath.Clean(*dir))
	}
	for _, pair := range [][2]string{{p.Staging, p.Data}, {p.Data, p.Previous}, {p.Staging, p.Previous}} {
		if within(pair[0], pair[1]) || within(pair[1], pair[0]) {
			return p, helperapi.Errorf(helperapi.ExitUsage, "%s and %s: neither may be in the other", pair[0], pair[1])
		}
	}
	return p, p.Local.Check()
}

// resolveExisting resolves links in the part of the path that exists.
func resolveExisting(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolveExisting(parent), filepath.Base(path))
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// begin checks everything that can be checked and writes the journal's first page.
func (p Promotion) begin(ctx context.Context) (*journal, error) {
	if exists(p.Previous) {
		return nil, helperapi.Errorf(helperapi.ExitRefused,
			"%s exists; the old data needs a place of its own", p.Previous)
	}
	if p.Expect == "" && !p.restore {
		return nil, helperapi.Errorf(helperapi.ExitRefused,
			"nothing was staged in this run: nobody said what %s should hold; sync again", p.Staging)
	}
	if err := p.mustBeIdle(); err != nil {
		return nil, err
	}
	staged, err := p.checkStaging(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.ensureData(); err != nil {
		return nil, err
	}
	owners, err := p.plannedOwners()
	if err != nil {
		return nil, err
	}
	j := &journal{
		Run: p.Run, Staging: p.Staging, Data: p.Data, Previous: p.Previous,
		Phase: phasePrepared, Method: helperapi.MethodExchange,
		OldDir: idOf(p.Data), NewDir: idOf(p.Staging),
		New: staged, Owners: owners, Local: p.Local,
	}
	if p.restore || !p.sameFileSystem() {
		j.Method = helperapi.MethodRename
	}
	return j, p.save(j)
}

func (p Promotion) plannedOwners() ([]owner, error) {
	if p.restore {
		return ownOwners(p.Staging, p.Local)
	}
	return targetOwners(p.Staging, p.Data, p.Local)
}

// sameFileSystem is necessary for the exchange, not sufficient.
func (p Promotion) sameFileSystem() bool {
	previous := filepath.Dir(p.Previous)
	for !exists(previous) {
		previous = filepath.Dir(previous)
	}
	dev := idOf(p.Data).Dev
	return idOf(p.Staging).Dev == dev && idOf(previous).Dev == dev
}

func (p Promotion) mustBeIdle() error {
	if p.InUse == nil {
		return nil
	}
	holders, err := p.InUse(p.Data)
	if err != nil {
		return fmt.Errorf("see who uses %s: %w", p.Data, err)
	}
	if len(holders) == 0 {
		return nil
	}
	h := holders[0]
	return helperapi.Errorf(helperapi.ExitBusy, "%s is used by %s (pid %d: %s); stop Zigbee2MQTT first",
		p.Data, h.Command, h.PID, h.Why)
}

// checkStaging lists what shall become the data.
func (p Promotion) checkStaging(ctx context.Context) ([]helperapi.File, error) {
	m, err := p.scan(ctx, p.Staging)
	if err != nil {
		return nil, err
	}
	if p.restore {
		return m.Files, nil
	}
	for _, name := range Needed() {
		at := slices.IndexFunc(m.Files, func(f helperapi.File) bool { return f.Path == name })
		if at < 0 || m.Files[at].Size == 0 || m.Files[at].Link != "" {
			return nil, helperapi.Errorf(helperapi.ExitRefused,
				"%s has no whole %s; Zigbee2MQTT could form a new network: sync again", p.Staging, name)
		}
	}
	if m.Hash != p.Expect {
		return nil, helperapi.Errorf(helperapi.ExitRefused,
			"%s is not what was staged: somebody changed it since; sync again", p.Staging)
	}
	return m.Files, nil
}

// scan lists a directory that nobody should be writing.
func (p Promotion) scan(ctx context.Context, dir string) (helperapi.ManifestResult, error) {
	m, err := Scan(ctx, dir, ScanOptions{Exclude: p.Local, Pause: 2 * time.Millisecond})
	if err == nil && !m.Stable {
		err = helperapi.Errorf(helperapi.ExitRefused, "%s changes while it is read (%s); who writes there?",
			dir, strings.Join(m.Changing, ", "))
	}
	return m, err
}

// ensureData makes an empty data directory on a host that has none yet, with the
// owner of the directory around it.
func (p Promotion) ensureData() error {
	if exists(p.Data) {
		return nil
	}
	d := p.disk()
	if err := d.MkdirAll(p.Data, 0o755); err != nil {
		return err
	}
	around, err := ownerOf(filepath.Dir(p.Data))
	if err != nil {
		return err
	}
	around.Mode = 0o755
	return d.owner(p.Data, around)
}

// conclude reads the data directory back and ends the journal.
func (p Promotion) conclude(ctx context.Context, j *journal) error {
	m, err := p.scan(ctx, p.Data)
	if err != nil {
		return err
	}
	if diff := Same(j.New, m.Files); len(diff) > 0 {
		return helperapi.Errorf(helperapi.ExitIO, "%s is not what was promoted: %s; take it back with --undo",
			p.Data, strings.Join(diff, ", "))
	}
	for _, o := range j.Owners {
		have, err := ownerOf(filepath.Join(p.Data, o.Path))
		if err != nil {
			return err
		}
		if have.UID != o.UID || have.GID != o.GID {
			return helperapi.Errorf(helperapi.ExitIO, "%s belongs to %d:%d and not to %d:%d; take it back with --undo",
				filepath.Join(p.Data, o.Path), have.UID, have.GID, o.UID, o.GID)
		}
	}
	return p.enter(j, phaseDone)
}

// localEntries lists the topmost entries of dir that stay with the host.
func (p Promotion) localEntries(dir string) ([]string, error) {
	var found []string
	all, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(all, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == all {
			return err
		}
		name, err := filepath.Rel(all, path)
		if err != nil {
			return err
		}
		if p.Local.matchEntry(filepath.ToSlash(name)) {
			found = append(found, name)
			return skipDir(d)
		}
		return nil
	})
	return found, err
}
