package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/dongle/znpsim/control"
)

// place is where the outside finds things; it is the ready line.
type place struct {
	Sticks  map[string]string `json:"sticks"` // name to /path or tcp://host:port
	Control string            `json:"control,omitempty"`
}

// run returns the exit code: 0 after an interrupt, 1 for trouble, 2 for bad flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "znp-sim: %v (znp-sim -h helps)\n", err)
		return 2
	}
	if err := simulate(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "znp-sim: %v\n", err)
		return 1
	}
	return 0
}

func simulate(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	log := slog.New(slog.DiscardHandler)
	if o.verbose {
		log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	m := znpsim.NewMedium(znpsim.MediumOptions{Log: log})
	defer func() { err = errors.Join(err, m.Close()) }()
	joined, err := o.furnish(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	if err := o.serve(ctx, group, m, joined, stdout, log); err != nil {
		cancel()
		return errors.Join(err, group.Wait())
	}
	return group.Wait()
}

// serve starts everything and says where it is.
func (o options) serve(ctx context.Context, group *errgroup.Group, m *znpsim.Medium, joined []znpsim.Joined, stdout io.Writer, log *slog.Logger) (err error) {
	ports, err := o.openPorts()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			ports.close()
		}
	}()
	at := place{Sticks: make(map[string]string)}
	for _, s := range o.sticks {
		where, err := o.plugIn(ctx, group, m, s, ports, joined, log)
		if err != nil {
			return err
		}
		at.Sticks[s.name] = where
		fmt.Fprintf(stdout, "stick %s: %s\n", s.name, where)
	}
	if ports.control != nil {
		at.Control = serveControl(ctx, group, m, ports.control)
		fmt.Fprintf(stdout, "control: %s\n", at.Control)
	}
	line, err := json.Marshal(at)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "ready %s\n", line)
	return nil
}

// furnish adds the devices, on the network of the first image that carries one, else
// on that of -form. They remember the counter which that image has stored.
func (o options) furnish(m *znpsim.Medium) ([]znpsim.Joined, error) {
	id, counter := o.network, zigbee.FrameCounter(0)
	for _, s := range o.sticks {
		image, err := load(s.image)
		if err != nil {
			return nil, err
		}
		if image == nil || !image.OnNetwork() {
			continue
		}
		if id, err = image.Identity(); err != nil {
			return nil, fmt.Errorf("image of stick %s: %w", s.name, err)
		}
		if c, err := image.Counters(); err == nil {
			counter = c.NWK
		}
		break
	}
	var joined []znpsim.Joined
	for _, d := range o.devices {
		spec := znpsim.DeviceSpec{Name: d.name, Kind: d.kind}
		if !d.new {
			spec.Network, spec.LastCounter = id, counter
		}
		dev := m.AddDevice(spec)
		if !d.new {
			joined = append(joined, dev.Joined())
		}
	}
	return joined, nil
}

// load reads an image; nil when there is no such file, or none is named.
func load(path string) (*nvimage.Image, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	image, err := nvimage.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return image, nil
}

// plugIn powers one stick and serves it; it returns where.
func (o options) plugIn(ctx context.Context, group *errgroup.Group, m *znpsim.Medium, s stickFlag, on ports, joined []znpsim.Joined, log *slog.Logger) (string, error) {
	d := znpsim.DongleOptions{
		Name: s.name, Hardware: s.hardware, Path: s.image, Medium: m, Revision: s.revision,
		Latency: o.latency, FrameRate: o.rate, Log: log,
	}
	if o.pace {
		d.BytesPerSecond = znpsim.WireSpeed
	}
	if o.form == s.name {
		d.Image = znpsim.FormedImage(o.network, joined...)
	}
	stick, err := openStick(d)
	if err != nil {
		return "", err
	}
	if s.tcp != "" {
		l := on.sticks[s.name]
		group.Go(func() error { return stick.ServeTCP(ctx, l) })
		return "tcp://" + l.Addr().String(), nil
	}
	pty, err := stick.OpenPTY(s.pty)
	if err != nil {
		return "", err
	}
	group.Go(func() error { return pty.Serve(ctx) })
	return s.pty, nil
}

func openStick(o znpsim.DongleOptions) (*znpsim.Dongle, error) {
	if o.Path == "" {
		return znpsim.NewDongle(o), nil
	}
	return znpsim.OpenDongle(o)
}

// serveControl returns where control is.
func serveControl(ctx context.Context, group *errgroup.Group, m *znpsim.Medium, l net.Listener) string {
	server := &http.Server{Handler: control.Handler(m), ReadHeaderTimeout: 5 * time.Second}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return "http://" + l.Addr().String()
}
