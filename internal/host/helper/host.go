package helper

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/pkg/sftp"
	"golang.org/x/sys/unix"

	"z2mha/internal/host/datadir"
	"z2mha/internal/host/helperapi"
)

func runProbe(c *call) error {
	var a helperapi.ProbeArgs
	set := c.flags()
	set.StringVar(&a.TTY, "tty", "", "`PORT` of the stick")
	set.StringVar(&a.Also, "also", "", "another `PORT`: say only which device that is")
	set.StringVar(&a.Data, "data", "", "Zigbee2MQTT's data `DIR`")
	set.StringVar(&a.Staging, "staging", "", "staging `DIR`, for the room there")
	set.StringVar(&a.Broker, "broker", "", "`HOST:PORT` of the broker: say whether it can be reached")
	set.StringVar(&a.Program, "program", "", "Zigbee2MQTT's `FOLDER`, for its version")
	if _, err := c.parse(set); err != nil {
		return err
	}
	r, err := c.env.Machine.Look(a)
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { sayProbe(w, r) })
}

func runManifest(c *call) error {
	var a helperapi.ManifestArgs
	set := c.flags()
	set.Var((*many)(&a.Exclude), "exclude", "leave out a `NAME` at any depth, or a path; * and ? as in a shell; may be repeated")
	set.BoolVar(&a.Attached, "attached", false, "stop when standard input ends")
	set.BoolVar(&a.Talk, "talk", false, "send the files that standard input asks for, and list again")
	args, err := c.parse(set, "a directory")
	if err != nil {
		return err
	}
	scanner, err := datadir.NewScanner(args[0], datadir.ScanOptions{
		Exclude:  a.Exclude,
		Progress: func(done, total int) { c.out.progress("hash", done, total) },
	})
	if err != nil {
		return err
	}
	defer scanner.Close()
	if a.Talk {
		return c.talk(scanner)
	}
	c.attach(a.Attached)
	m, err := scanner.Scan(c.ctx)
	if err != nil {
		return err
	}
	return c.out.result(m, func(w io.Writer) { sayManifest(w, m) })
}

func runPromote(c *call) error {
	var a helperapi.PromoteArgs
	var f runFlags
	set := c.flags()
	f.register(set)
	set.StringVar(&a.Staging, "staging", "", "`DIR` with the new data")
	set.StringVar(&a.Data, "data", "", "Zigbee2MQTT's data `DIR`")
	set.StringVar(&a.Previous, "previous", "", "`DIR` for the old data; must not exist")
	set.Var((*many)(&a.Local), "local", "`NAME` that stays with this host, such as log; may be repeated")
	set.StringVar(&a.Expect, "expect", "", "`HASH` of what is in staging, as manifest tells it; without it no promotion begins")
	set.BoolVar(&a.Undo, "undo", false, "take the promotion of this run back")
	if _, err := c.parse(set); err != nil {
		return err
	}
	if f.byHand() {
		return helperapi.Errorf(helperapi.ExitUsage, "promote needs --run ID: it is how the promotion is continued or taken back")
	}
	f.complete(c.verb.name)
	r, err := c.promote(f, a)
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { sayPromote(w, r) })
}

// promote does not end at a recorded result: the promotion's own journal knows
// whether it was taken back since. It is the promotion that lets only one of run and
// undo go on at a time. Once begun it is over in a moment, so a request to stop is
// obeyed only before.
func (c *call) promote(f runFlags, a helperapi.PromoteArgs) (helperapi.PromoteResult, error) {
	ctx, _, release := c.beforeWriting()
	defer release()
	p := c.promotion(f, a)
	if a.Undo {
		f.id += ".undo"
	}
	run, over, err := c.join(ctx, f, map[string]string{
		"staging": a.Staging, "data": a.Data, "previous": a.Previous, "undo": fmt.Sprint(a.Undo),
	})
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	act := p.Do
	if a.Undo {
		act = p.Undo
	}
	if over != nil {
		return act(ctx)
	}
	r, err := act(ctx)
	_, err = c.finish(run, r, err)
	return r, err
}

func (c *call) promotion(f runFlags, a helperapi.PromoteArgs) datadir.Promotion {
	return datadir.Promotion{
		Staging: a.Staging, Data: a.Data, Previous: a.Previous, Run: f.id,
		Local: a.Local, Expect: a.Expect, Journal: f.dir + "/" + f.id + ".promotion", InUse: c.env.Machine.InUse,
	}
}

func runSFTP(c *call) error {
	set := c.flags()
	readOnly := set.Bool("read-only", false, "refuse every change")
	if _, err := c.parse(set); err != nil {
		return err
	}
	unix.Umask(0o077) // what is uploaded holds keys until its mode is set
	var options []sftp.ServerOption
	if *readOnly {
		options = append(options, sftp.ReadOnly())
	}
	server, err := sftp.NewServer(stdio{c.env.Stdin, c.env.Stdout}, options...)
	if err != nil {
		return fmt.Errorf("start the SFTP server: %w", err)
	}
	if err := server.Serve(); err != nil && err != io.EOF {
		return fmt.Errorf("serve SFTP: %w", err)
	}
	return nil
}

// stdio joins standard input and output; there is nothing to close.
type stdio struct {
	io.Reader
	io.Writer
}

// Close does nothing: the process ends.
func (stdio) Close() error { return nil }

func runVersion(c *call) error {
	if _, err := c.parse(c.flags()); err != nil {
		return err
	}
	v := helperapi.VersionResult{API: helperapi.Version, Build: build(), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH}
	return c.out.result(v, func(w io.Writer) {
		fmt.Fprintf(w, "znp-helper %s (%s/%s, protocol %d)\n", v.Build, v.GOOS, v.GOARCH, v.API)
	})
}

func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return info.Main.Version
}

// decode reads a recorded or fresh result back.
func decode[T any](raw json.RawMessage) (T, error) {
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, fmt.Errorf("read the recorded result: %w", err)
	}
	return value, nil
}
