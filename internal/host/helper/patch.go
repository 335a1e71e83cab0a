package helper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/runrecord"
	"z2mha/internal/storage/durable"
)

// A patch is one patch verb's request.
type patch struct {
	port        string
	from        nvimage.Stick
	known, want *nvimage.Image
	reset       bool
	keep        string // directory for the old values
	id          string // of the run
}

func runPatch(c *call) error {
	p, f, err := c.parsePatch()
	if err != nil {
		return err
	}
	args := map[string]string{
		"port": p.port, "known": p.known.Hash(), "want": p.want.Hash(),
		"from": fmt.Sprint(p.from.Revision), "reset": fmt.Sprint(p.reset),
	}
	raw, err := c.underRun(f, args, func(run *runrecord.Run) (any, error) { return c.patch(run, p) })
	if err != nil {
		return err
	}
	r, err := decode[helperapi.PatchResult](raw)
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { sayPatch(w, p.port, r) })
}

func (c *call) parsePatch() (p patch, f runFlags, err error) {
	set := c.flags()
	f.register(set)
	set.BoolVar(&p.reset, "reset", false, "boot the stick at the end")
	set.StringVar(&p.keep, "keep", filepath.Join(stateHome(), keptDir), "`DIR` that keeps the old values")
	args, err := c.parse(set, aPort)
	if err != nil {
		return p, f, err
	}
	if f.byHand() {
		return p, f, helperapi.Errorf(helperapi.ExitUsage, "patch needs --run ID: it is how a patch that was cut off is taken up again")
	}
	f.complete(c.verb.name)
	p.port, p.id = args[0], f.id
	var told helperapi.Patch
	if err = c.decodeStdin(&told); err == nil {
		p.from = told.From
		p.known, err = nvimage.ParsePart(told.Known)
	}
	if err == nil {
		p.want, err = nvimage.ParsePart(told.Want)
	}
	if err != nil {
		err = helperapi.Errorf(helperapi.ExitMisfit, "the patch on standard input: %v", err)
	}
	return p, f, err
}

func (c *call) patch(run *runrecord.Run, p patch) (helperapi.PatchResult, error) {
	ctx, begin, release := c.beforeWriting()
	defer release()
	resume, err := keptPart(run)
	if err != nil {
		return helperapi.PatchResult{}, err
	}
	client, err := c.connect(ctx, p.port)
	if err != nil {
		return helperapi.PatchResult{}, err
	}
	defer client.Close()
	o := nvram.PatchOptions{From: p.from, Reset: p.reset, Resume: resume, Stop: c.stopped.Done()}
	o.Phase, o.Progress = c.phases(run)
	o.Keep = func(before *nvimage.Image) error {
		if err := begin(); err != nil {
			return err
		}
		return keepPart(run, p, before)
	}
	r, err := nvram.Patch(ctx, client, p.known, p.want, o)
	if errors.Is(err, nvram.ErrChanged) {
		err = helperapi.Errorf(helperapi.ExitDiffers, "%v", err)
	}
	return patchResult(run, r), err
}

// keepPart saves the old values of what is about to be changed. Each attempt at a run
// keeps them anew: counters may have moved on since. Such a file is no image to be
// loaded, so there is no note beside it.
func keepPart(run *runrecord.Run, p patch, before *nvimage.Image) error {
	if err := (durable.Disk{}).MkdirAll(p.keep, 0o700); err != nil {
		return err
	}
	path := filepath.Join(p.keep, fmt.Sprintf("kept-%s-%.8s.part.json", p.id, before.Hash()))
	if err := durable.WriteFile(path, before.Encode(), 0o600); err != nil {
		return err
	}
	return run.SetNote(noteKeptPath, path)
}

// keptPart is what an earlier attempt at the run has kept, nil when there was none.
func keptPart(run *runrecord.Run) (*nvimage.Image, error) {
	path := run.Note(noteKeptPath)
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return nvimage.ParsePart(data)
}

func patchResult(run *runrecord.Run, r nvram.PatchReport) helperapi.PatchResult {
	result := helperapi.PatchResult{
		Written: r.Written, Deleted: r.Deleted, Bytes: r.Bytes, Boots: r.Boots,
		Cost:  helperapi.Cost(r.Cost()),
		Stick: r.Stick, KeptPath: run.Note(noteKeptPath), State: r.State,
	}
	for id, counter := range r.Ahead {
		result.Ahead = append(result.Ahead, helperapi.Ahead{Item: id.Item, Sub: id.Sub, Counter: counter})
	}
	return result
}
