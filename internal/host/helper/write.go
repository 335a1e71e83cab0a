package helper

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/runrecord"
	"z2mha/internal/storage/durable"
)

// A load is one write verb's request.
type load struct {
	image     *nvimage.Image
	port      string
	from      nvimage.Stick
	any       bool
	before    string // hash the stick must have
	keep      string // directory for the old content
	keepTitle string // beginning of its file name
}

func runWrite(c *call) error {
	l, f, err := c.parseWrite()
	if err != nil {
		return err
	}
	args := map[string]string{
		"port":  l.port,
		"image": l.image.Hash(),
		"from":  fmt.Sprintf("%d any=%t", l.from.Revision, l.any),
	}
	raw, err := c.underRun(f, args, func(run *runrecord.Run) (any, error) { return c.write(run, l) })
	if err != nil {
		return err
	}
	r, err := decode[helperapi.WriteResult](raw)
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { sayWrite(w, l, r) })
}

func (c *call) parseWrite() (load, runFlags, error) {
	var l load
	var f runFlags
	set := c.flags()
	f.register(set)
	revision := set.String("from-revision", "", "revision `N` of the firmware the image was read from")
	set.BoolVar(&l.any, "any-revision", false, "load an image of another firmware revision, too")
	set.StringVar(&l.before, "expect-before", "", "refuse unless the stick holds content of this `HASH`")
	set.StringVar(&l.keep, "keep", "", "`DIR` that keeps what the stick holds (default: beside the image; with --run or - "+
		filepath.Join(stateHome(), keptDir)+")")
	args, err := c.parse(set, "an image", aPort)
	if err != nil {
		return l, f, err
	}
	told, err := parseRevision(*revision)
	if err != nil {
		return l, f, err
	}
	l.port = args[1]
	if l.image, err = c.loadImage(args[0]); err != nil {
		return l, f, err
	}
	if l.from, err = firmwareOf(args[0], l.image, told, l.any); err != nil {
		return l, f, err
	}
	if l.keep == "" {
		l.keep = filepath.Join(stateHome(), keptDir)
		if f.byHand() && args[0] != helperapi.Stdin {
			l.keep = filepath.Dir(args[0])
		}
	}
	f.complete(c.verb.name)
	l.keepTitle = "kept-" + f.id
	return l, f, nil
}

func parseRevision(text string) (uint, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return 0, helperapi.Errorf(helperapi.ExitUsage,
			"--from-revision %q: want a number such as 20250321, as \"znp-helper info\" says it", text)
	}
	return uint(n), nil
}

// Notes in the run's record. They tell a later attempt that the stick was already
// being written, and where its first content is.
const (
	noteKeptPath = "kept_path"
	noteKeptHash = "kept_hash"
)

func (c *call) write(run *runrecord.Run, l load) (helperapi.WriteResult, error) {
	ctx, begin, release := c.beforeWriting()
	defer release()
	client, err := c.connect(ctx, l.port)
	if err != nil {
		return helperapi.WriteResult{}, err
	}
	defer client.Close()
	stick, err := client.Version(ctx)
	if err != nil {
		return helperapi.WriteResult{}, err
	}
	o := c.writeOptions(run, l)
	o.Keep = func(before *nvimage.Image) error {
		if err := begin(); err != nil {
			return err
		}
		return keep(run, l, before, stick)
	}
	report, err := nvram.Write(ctx, client, l.image, o)
	if err != nil {
		return helperapi.WriteResult{}, err
	}
	return c.writeResult(run, client, stick, report)
}

func (c *call) writeOptions(run *runrecord.Run, l load) nvram.WriteOptions {
	o := nvram.WriteOptions{
		From: l.from, AnyRevision: l.any,
		ExpectBefore: l.before,
		Stop:         c.stopped.Done(),
	}
	o.Phase, o.Progress = c.phases(run)
	if run.Note(noteKeptPath) != "" {
		o.Resume, o.ExpectBefore = true, ""
	}
	return o
}

// phases tells how far a write is, phase by phase.
func (c *call) phases(run *runrecord.Run) (func(nvram.Phase), nvram.Progress) {
	step := nvram.PhaseCompare
	return func(p nvram.Phase) { step = p },
		func(done, total int) { c.stepper(run, string(step))(done, total) }
}

// keep saves what the stick holds before the first write. A resumed run saves the
// half-written content too, but goes on naming the first.
func keep(run *runrecord.Run, l load, before *nvimage.Image, stick nvimage.Stick) error {
	if err := (durable.Disk{}).MkdirAll(l.keep, 0o700); err != nil {
		return err
	}
	path := filepath.Join(l.keep, fmt.Sprintf("%s-%.8s.json", l.keepTitle, before.Hash()))
	if err := saveImage(path, before, stick); err != nil {
		return err
	}
	if run.Note(noteKeptPath) != "" {
		return nil
	}
	if err := run.SetNote(noteKeptHash, before.Hash()); err != nil {
		return err
	}
	return run.SetNote(noteKeptPath, path)
}

func (c *call) writeResult(run *runrecord.Run, client *znp.Client, stick nvimage.Stick, report nvram.WriteReport) (helperapi.WriteResult, error) {
	device, err := client.DeviceInfo(c.ctx)
	if err != nil {
		return helperapi.WriteResult{}, fmt.Errorf("read the stick's state after the write: %w", err)
	}
	return helperapi.WriteResult{
		Report: helperapi.WriteReport{
			BeforeHash: report.BeforeHash,
			Written:    report.Written, Deleted: report.Deleted, Bytes: report.Bytes, Unchanged: report.Unchanged,
			Compare: helperapi.Cost(report.Compare), Write: helperapi.Cost(report.Write), ReadBack: helperapi.Cost(report.ReadBack),
			Boots: report.Boots,
		},
		Stick:    stick,
		KeptPath: run.Note(noteKeptPath), KeptHash: run.Note(noteKeptHash),
		State: nvram.StateName(device.State),
	}, nil
}
