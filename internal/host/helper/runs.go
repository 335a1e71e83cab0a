package helper

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/runrecord"
)

// Where the helper keeps what must outlive a reboot. Nothing here is shared with
// another program.
const (
	homeOfRoot = "/var/lib/z2mha"
	runsDir    = "runs"
	keptDir    = "kept"
)

// runFlags are those of every writing verb.
type runFlags struct{ id, dir string }

func (f *runFlags) register(set *flag.FlagSet) {
	set.StringVar(&f.id, "run", "", "`ID` of this act: given again it is not repeated, but its result told or its end awaited")
	set.StringVar(&f.dir, "state", "", "`DIR` for run records (default "+filepath.Join(stateHome(), runsDir)+")")
}

// byHand says that nobody named the run, so nobody will come back for it by name.
func (f *runFlags) byHand() bool { return f.id == "" }

// complete fills in what was not given.
func (f *runFlags) complete(verb string) {
	if f.id == "" {
		f.id = verb + "-" + now().Format("20060102T150405") + "-" + strings.ToLower(rand.Text()[:6])
	}
	if f.dir == "" {
		f.dir = filepath.Join(stateHome(), runsDir)
	}
}

// stateHome is what Z2MHA_STATE says, else /var/lib/z2mha for root, and below the home
// directory for others.
func stateHome() string {
	if dir := os.Getenv("Z2MHA_STATE"); filepath.IsAbs(dir) {
		return dir
	}
	if os.Geteuid() == 0 {
		return homeOfRoot
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "z2mha")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return homeOfRoot
	}
	return filepath.Join(home, ".local/state/z2mha")
}

// underRun does an act under its run id, or tells how it ended. The act's result
// comes back as JSON in either case.
func (c *call) underRun(f runFlags, args map[string]string, act func(*runrecord.Run) (any, error)) (json.RawMessage, error) {
	ctx, _, release := c.beforeWriting()
	run, over, err := c.join(ctx, f, args)
	release()
	if err != nil {
		return nil, err
	}
	if over != nil {
		return outcome(over)
	}
	value, err := act(run)
	return c.finish(run, value, err)
}

func (c *call) join(ctx context.Context, f runFlags, args map[string]string) (*runrecord.Run, *runrecord.Record, error) {
	return runrecord.Join(ctx, runrecord.Request{
		Dir: f.dir, Run: f.id, Verb: c.verb.name, Args: args,
		Follow: func(p helperapi.Progress) { c.out.progress(p.Step, p.Done, p.Total) },
	})
}

func outcome(over *runrecord.Record) (json.RawMessage, error) {
	if over.Error != nil {
		return nil, over.Error
	}
	return over.Result, nil
}

// finish records how an act ended. That it cannot be recorded does not undo it.
func (c *call) finish(run *runrecord.Run, value any, failure error) (json.RawMessage, error) {
	var raw json.RawMessage
	var e *helperapi.Error
	if failure == nil {
		raw, failure = json.Marshal(value)
	}
	if failure != nil {
		e = classify(failure)
	}
	if err := run.Finish(raw, e); err != nil {
		c.out.warn("the outcome could not be recorded: %v", err)
	}
	if e != nil {
		return nil, e
	}
	return raw, nil
}

// stepper tells progress to whoever listens and to the run's record.
func (c *call) stepper(run *runrecord.Run, step string) func(done, total int) {
	return func(done, total int) {
		c.out.progress(step, done, total)
		run.Progress(helperapi.Progress{Step: step, Done: done, Total: total})
	}
}
