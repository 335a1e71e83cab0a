package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/runrecord"
)

// connect opens a port and makes sure that a stick answers there.
func (c *call) connect(ctx context.Context, address string) (*znp.Client, error) {
	if err := checkTerminal(address); err != nil {
		return nil, err
	}
	rw, err := c.env.Machine.Open(ctx, address)
	if busy, ok := errors.AsType[*port.BusyError](err); ok {
		return nil, helperapi.Errorf(helperapi.ExitBusy, "open port: %s", busyInWords(busy))
	}
	if exitOf(err) == helperapi.ExitInternal && err != nil {
		return nil, helperapi.Errorf(helperapi.ExitIO, "%v", err) // nothing else can be wrong
	}
	if err != nil {
		return nil, err
	}
	client := znp.NewClient(rw, znp.Options{})
	if err := client.Connect(ctx); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return client, nil
}

// on runs an act on the stick at address. Closing the client unblocks whatever waits
// when ctx ends.
func on[T any](ctx context.Context, c *call, address string, act func(*znp.Client) (T, error)) (T, error) {
	client, err := c.connect(ctx, address)
	if err != nil {
		var none T
		return none, err
	}
	defer client.Close()
	return act(client)
}

func runInfo(c *call) error {
	set := c.flags()
	attached := set.Bool("attached", false, "stop when standard input ends")
	args, err := c.parse(set, aPort)
	if err != nil {
		return err
	}
	c.attach(*attached)
	r, err := on(c.ctx, c, args[0], func(client *znp.Client) (helperapi.InfoResult, error) {
		return info(c.ctx, client, args[0])
	})
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { sayInfo(w, r) })
}

func info(ctx context.Context, client *znp.Client, address string) (helperapi.InfoResult, error) {
	r := helperapi.InfoResult{Port: address}
	stick, err := client.Version(ctx)
	if err != nil {
		return r, err
	}
	device, err := client.DeviceInfo(ctx)
	if err != nil {
		return r, err
	}
	r.Stick, r.IEEE = stick, device.IEEE
	r.State, r.NwkAddr = nvram.StateName(device.State), device.Nwk
	if usb, ok := port.Describe(address); ok {
		known := helperapi.USB(usb)
		r.USB = &known
	}
	if device.State == znp.StateHold {
		return r, nil
	}
	network, err := client.ExtNwkInfo(ctx)
	if err != nil {
		return r, err
	}
	r.Network = &helperapi.NetworkInfo{PanID: network.PanID, ExtPanID: network.ExtPanID, Channel: network.Channel}
	return r, nil
}

func runRead(c *call) error {
	set := c.flags()
	file := set.String("o", "", "write the image to `FILE` (\"-\": standard output), and beside it which firmware it is from")
	force := set.Bool("force", false, "replace FILE when it exists")
	known := set.Bool("known", false, "read what is known to be there: which items, standard input says")
	attached := set.Bool("attached", false, "stop when standard input ends")
	args, err := c.parse(set, aPort)
	if err != nil {
		return err
	}
	if err := checkTarget(*file, *force); err != nil {
		return err
	}
	if *file == "" && c.env.StdoutTerminal {
		return helperapi.Errorf(helperapi.ExitUsage, "read %s: say where to put the image: -o backup.json", args[0])
	}
	c.out.text = c.out.text || *file != ""
	look := reader(nvram.Read)
	if *known {
		if look, err = c.readKnown(); err != nil {
			return err
		}
	}
	c.attach(*attached)
	stick, err := on(c.ctx, c, args[0], func(client *znp.Client) (reading, error) {
		return read(c.ctx, client, look, func(done, total int) { c.out.progress("read", done, total) })
	})
	if err != nil {
		return err
	}
	return c.hand(stick, *file)
}

// A reader reads a stick's memory, as nvram.Read does.
type reader func(context.Context, *znp.Client, nvram.Progress) (*nvimage.Image, error)

// readKnown takes one Layout off standard input, which goes on behind it.
func (c *call) readKnown() (reader, error) {
	var known helperapi.Layout
	if err := c.decodeStdin(&known); err != nil || len(known.Items) == 0 {
		return nil, helperapi.Errorf(helperapi.ExitUsage, "standard input does not say what is known of the stick: %v", err)
	}
	return func(ctx context.Context, client *znp.Client, progress nvram.Progress) (*nvimage.Image, error) {
		return nvram.ReadKnown(ctx, client, known.Image(), progress)
	}, nil
}

func (c *call) decodeStdin(value any) error { return json.NewDecoder(c.env.Stdin).Decode(value) }

// A reading is a stick's memory with what says whose it is.
type reading struct {
	image *nvimage.Image
	stick nvimage.Stick
	state string
}

func read(ctx context.Context, client *znp.Client, look reader, progress nvram.Progress) (reading, error) {
	stick, err := client.Version(ctx)
	if err != nil {
		return reading{}, err
	}
	device, err := client.DeviceInfo(ctx)
	if err != nil {
		return reading{}, err
	}
	image, err := look(ctx, client, progress)
	return reading{image, stick, nvram.StateName(device.State)}, err
}

// hand gives a reading to a file, to standard output or to the controller.
func (c *call) hand(r reading, file string) error {
	result := helperapi.ReadResult{Stick: r.stick, Hash: r.image.Hash(), State: r.state}
	switch file {
	case "":
		result.Image = json.RawMessage(r.image.Encode())
		return c.out.result(result, nil)
	case helperapi.Stdin:
		c.out.clear()
		if _, err := c.env.Stdout.Write(r.image.Encode()); err != nil {
			return helperapi.Errorf(helperapi.ExitIO, "write the image: %v", err)
		}
		return nil
	}
	if err := saveImage(file, r.image, r.stick); err != nil {
		return err
	}
	result.Path = file
	return c.out.result(result, func(w io.Writer) { sayRead(w, result, r.image.Len()) })
}

func runVerify(c *call) error {
	set := c.flags()
	args, err := c.parse(set, "an image", aPort)
	if err != nil {
		return err
	}
	image, err := c.loadImage(args[0])
	if err != nil {
		return err
	}
	changes, err := on(c.ctx, c, args[1], func(client *znp.Client) ([]nvimage.Change, error) {
		return nvram.Verify(c.ctx, client, image)
	})
	if err != nil {
		return err
	}
	r := helperapi.VerifyResult{Equal: len(changes) == 0}
	for _, change := range changes {
		r.Differs = append(r.Differs, change.String())
	}
	if err := c.out.result(r, func(w io.Writer) { sayVerify(w, r) }); err != nil || r.Equal {
		return err
	}
	return helperapi.Errorf(helperapi.ExitDiffers, "%s holds something else: %s", args[1], itemsDiffer(len(changes)))
}

func runReset(c *call) error { return c.silence(nvram.Reset) }

func runPark(c *call) error { return c.silence(nvram.Park) }

// silence is reset and park: both end in proof that the radio is off.
func (c *call) silence(act func(context.Context, *znp.Client) (nvram.Silence, error)) error {
	var f runFlags
	set := c.flags()
	f.register(set)
	args, err := c.parse(set, aPort)
	if err != nil {
		return err
	}
	f.complete(c.verb.name)
	raw, err := c.underRun(f, map[string]string{"port": args[0]}, func(*runrecord.Run) (any, error) {
		ctx, _, release := c.beforeWriting()
		defer release()
		client, err := c.connect(ctx, args[0])
		if err != nil {
			return nil, err
		}
		defer client.Close()
		s, err := act(c.ctx, client)
		return helperapi.ResetResult{Silence: helperapi.Silence(s)}, err
	})
	if err != nil {
		return err
	}
	r, err := decode[helperapi.ResetResult](raw)
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { saySilence(w, args[0], r.Silence) })
}
