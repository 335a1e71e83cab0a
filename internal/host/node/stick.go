package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
)

// A stick is the coordinator of a node: one plugged into the host, which the
// helper speaks to, or one in the network, which we speak to ourselves. Both refuse
// a stick that a program holds.
type stick interface {
	inspect(context.Context) (network.StickState, error)
	park(context.Context) (network.Silence, error)
	reset(context.Context) (network.Silence, error)
	read(context.Context, *nvimage.Image, engine.Progress) (network.StickImage, error) // nil: nothing is known
	load(context.Context, network.StickLoad, engine.Progress) (network.LoadReport, error)
	patch(context.Context, network.StickPatch, engine.Progress) (network.PatchReport, error)
	unplug(context.Context) (network.Unplugged, error)
	replug(context.Context) error
	listen(context.Context, zigbee.Identity) (network.Heard, error)
	explain(engine.Op) []string
}

// hostStick is plugged into the host.
type hostStick struct{ n *Node }

func (s hostStick) inspect(ctx context.Context) (network.StickState, error) {
	r, err := callOnce[helperapi.InfoResult](ctx, s.n, s.n.infoCall())
	return network.StickState{
		State: r.State, Silent: r.State == helperapi.StateHold, Address: r.IEEE, Stick: r.Stick,
	}, err
}

func (s hostStick) park(ctx context.Context) (network.Silence, error) {
	return s.silence(ctx, s.n.parkCall(newRun("park")))
}

func (s hostStick) reset(ctx context.Context) (network.Silence, error) {
	return s.silence(ctx, s.n.resetCall(newRun("reset")))
}

// newRun names an act that nobody will ask for again: proof must be fresh.
func newRun(verb string) string { return verb + "-" + rand.Text() }

func (s hostStick) silence(ctx context.Context, c call) (network.Silence, error) {
	r, err := callAgain[helperapi.ResetResult](ctx, s.n, c)
	if err != nil {
		return network.Silence{}, err
	}
	if r.Silence.State != helperapi.StateHold {
		return network.Silence{}, fmt.Errorf("the stick is in state %s", r.Silence.State)
	}
	return network.Silence{
		State: r.Silence.State, Reset: r.Silence.Reset, Address: r.Silence.Address, Stick: r.Silence.Stick,
	}, nil
}

func (s hostStick) read(ctx context.Context, known *nvimage.Image, progress engine.Progress) (network.StickImage, error) {
	c := s.n.readCall()
	if known != nil {
		c = s.n.readKnownCall(known)
	}
	c.progress = progress
	r, err := callOnce[helperapi.ReadResult](ctx, s.n, c)
	if err != nil {
		return network.StickImage{}, err
	}
	if r.State != helperapi.StateHold {
		return network.StickImage{}, fmt.Errorf(
			"it is in state %s and not in HOLD: its memory lags behind what it sends; park it first", r.State)
	}
	img, err := nvimage.Parse(r.Image)
	if err != nil {
		return network.StickImage{}, err
	}
	if img.Hash() != r.Hash {
		return network.StickImage{}, errors.New("the image was damaged on its way: its hash differs")
	}
	return network.StickImage{Stick: r.Stick, Image: img}, nil
}

func (s hostStick) load(ctx context.Context, load network.StickLoad, progress engine.Progress) (network.LoadReport, error) {
	c := s.n.writeCall(load)
	c.progress = progress
	r, err := callAgain[helperapi.WriteResult](ctx, s.n, c)
	if err != nil {
		return network.LoadReport{}, err
	}
	before, err := s.before(ctx, load.Want, r)
	if err != nil {
		return network.LoadReport{}, err
	}
	report := network.LoadReport{
		Written: r.Report.Written, Deleted: r.Report.Deleted, Unchanged: r.Report.Unchanged,
		Bytes: r.Report.Bytes, Boots: r.Report.Boots,
		Exchanges: r.Report.Compare.Exchanges + r.Report.Write.Exchanges + r.Report.ReadBack.Exchanges,
		Before:    before, State: r.State,
	}
	if r.State != helperapi.StateHold {
		return report, fmt.Errorf("the stick is in state %s after the load", r.State)
	}
	return report, nil
}

// before fetches what the helper kept. When it kept nothing, nothing differed.
func (s hostStick) before(ctx context.Context, want *nvimage.Image, r helperapi.WriteResult) (*nvimage.Image, error) {
	if r.KeptPath == "" {
		return want.Clone(), nil
	}
	files, err := s.n.files(ctx, true)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	f, err := files.Open(r.KeptPath)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", r.KeptPath, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.KeptPath, err)
	}
	img, err := nvimage.Parse(raw)
	if err == nil && img.Hash() != r.KeptHash {
		err = errors.New("its hash differs from what the helper kept")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.KeptPath, err)
	}
	return img, nil
}

func (s hostStick) explain(op engine.Op) []string {
	n := s.n
	switch op {
	case engine.OpInspect:
		return n.lines(n.ofHelper(n.infoCall()))
	case engine.OpPark:
		return n.lines(n.ofHelper(n.parkCall(runWord)))
	case engine.OpReset:
		return n.lines(n.ofHelper(n.resetCall(runWord)))
	case engine.OpUnplug:
		return n.lines(n.ofHelper(n.unplugCall()))
	case engine.OpReplug:
		return n.lines(n.ofHelper(n.replugCall()))
	case engine.OpListen:
		return n.explainListen()
	case engine.OpReadStick:
		return n.lines(n.ofHelper(n.readCall()))
	case engine.OpReadKnown:
		return n.lines(n.ofHelper(n.readKnownCall(nvimage.New())))
	case engine.OpPatchStick:
		none := nvimage.New()
		return n.lines(n.ofHelper(n.patchCall(network.StickPatch{Run: runWord, Known: none, Want: none})))
	}
	write := n.writeCall(network.StickLoad{Run: runWord, ExpectBefore: hashWord})
	write.argv = withRevision(write.argv)
	return n.lines(n.ofHelper(write), n.filesCommand(true))
}

// withRevision puts the word for a revision where the number would be.
func withRevision(argv []string) []string {
	var words []string
	for _, w := range argv {
		if w == "--expect-before" {
			words = append(words, "--from-revision", revisionWord)
		}
		words = append(words, w)
	}
	return words
}
