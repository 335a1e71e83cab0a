// Package demo tells the main job of the product on a machine without hardware: a
// home with two hosts is put together and the lamp is pressed all the while. Either
// the network moves from the attic to the cellar and back by itself (Tour), or it is
// moved on the page (Stay). What moves it is the production code; only radio and
// sticks are emulated.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"z2mha/internal/world/home"
)

// A Mover moves the home's network to the node named to, with the production code
// and the configuration file config, and prints its steps.
type Mover func(ctx context.Context, config, to string) error

// A Server runs the production server on the configuration file config until ctx
// ends, and calls ready once its page is served.
type Server func(ctx context.Context, config string, ready func(address string)) error

// Options of a demonstration.
type Options struct {
	Out     io.Writer
	Program []string // starts the simulated Zigbee2MQTT; its data is in $ZIGBEE2MQTT_DATA
	Move    Mover    // for Tour
	Serve   Server   // for Stay
	Listen  string   // for Stay: where the page is served; "" means any free port
	Keep    bool     // leave the home's directory for a look
	Log     *slog.Logger
}

const (
	firstAnswer = 20 * time.Second // of the lamp, after a start or a move
)

// Tour shows a switchover and the way back. Its error says what did not go as it
// must; everything it started has ended when it returns.
func Tour(ctx context.Context, o Options) error { return o.run(ctx, (*show).tour) }

// Stay serves the page until ctx ends, for somebody who wants to move the network
// with a button. Its error is as that of Tour.
func Stay(ctx context.Context, o Options) error { return o.run(ctx, (*show).stay) }

func (o Options) run(ctx context.Context, play func(*show, context.Context) error) (err error) {
	dir, err := os.MkdirTemp("", "z2mha-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if !o.Keep {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	// The home outlives ctx: what the server does last needs it.
	h, err := home.New(context.WithoutCancel(ctx), home.Options{Dir: dir, Program: o.Program, Log: o.Log,
		More: fmt.Sprintf("\npage:\n  listen: %s\n", cmp.Or(o.Listen, "127.0.0.1:0"))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	s := &show{Options: o, home: h}
	s.introduce()
	if s.watch, err = h.Watch(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer s.watch.Close()
	if err := h.Attic.Service(ctx, "start"); err != nil {
		return err
	}
	if err := s.lampAnswers(ctx, h.Attic); err != nil {
		return err
	}
	return play(s, ctx)
}

// A show is one run of the demonstration.
type show struct {
	Options
	home  *home.Home
	watch *home.Watch
}

func (s *show) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

func (s *show) tour(ctx context.Context) error {
	for _, n := range []*home.Node{s.home.Cellar, s.home.Attic} {
		if err := s.move(ctx, n); err != nil {
			return err
		}
	}
	return s.verdict()
}

// stay tells what the lamp notices of every move.
func (s *show) stay(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, s.home.Config, s.invite) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for told := 0; ; {
		select {
		case err := <-served:
			return errors.Join(err, s.verdict())
		case <-tick.C:
			outages := s.watch.Outages()
			for _, o := range outages[told:] {
				s.say("💡 the lamp answers through another stick; it was out of reach for %s", seconds(o.Unanswered))
			}
			told = len(outages)
		}
	}
}

func (s *show) invite(address string) {
	s.say("Open  http://%s/  and press \"Switch over to cellar\".", address)
	s.say("Or press the same button as Home Assistant does, over MQTT:")
	s.say("  mosquitto_pub -p %s -t z2mha/home/cmd/switchover -m PRESS", s.home.Broker()[strings.LastIndex(s.home.Broker(), ":")+1:])
	s.say("Ctrl-C ends it.\n")
}

func (s *show) introduce() {
	s.say("A home with one Zigbee network: a lamp and two sensors, of which one sleeps.")
	s.say("Two hosts, reached over SSH, each with Zigbee2MQTT and a coordinator stick:")
	for _, n := range s.home.Nodes() {
		s.say("  %-7s %s  stick %s", n.Name, n.Host.Addr(), n.TTY)
	}
	s.say("The attic carries the network. The cellar's stick is empty and silent.")
	s.say("Somebody presses the lamp's switch all the time, over MQTT.\n")
}

func (s *show) lampAnswers(ctx context.Context, through *home.Node) error {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	if err := s.watch.Await(ctx, through.Name); err != nil {
		return fmt.Errorf("%w; Zigbee2MQTT said:\n%s", err, through.Log())
	}
	s.say("💡 the lamp answers through the %s\n", through.Name)
	return nil
}

func (s *show) move(ctx context.Context, to *home.Node) error {
	s.say("Now the network moves to the %s.", to.Name)
	began := time.Now()
	if err := s.Move(ctx, s.home.Config, to.Name); err != nil {
		return fmt.Errorf("move the network to %s: %w", to.Name, err)
	}
	took := time.Since(began)
	if err := s.lampAnswers(ctx, to); err != nil {
		return err
	}
	outages := s.watch.Outages()
	if len(outages) == 0 {
		return errors.New("the lamp never changed the stick it answers through")
	}
	last := outages[len(outages)-1]
	s.say("   moved in %s; the lamp was out of reach for %s\n", seconds(took), seconds(last.Unanswered))
	return nil
}

// verdict asks the radio medium, which has heard every frame.
func (s *show) verdict() error {
	faults := s.home.Faults()
	s.say("What the radio medium heard:")
	if len(faults) == 0 {
		s.say("  ✓ never two coordinators at a time")
		s.say("  ✓ no frame counter went back, no frame was dropped as a replay")
		s.say("  ✓ no device had to join again")
		return nil
	}
	for _, f := range faults {
		s.say("  ✗ %s", f)
	}
	return fmt.Errorf("the radio medium saw what must never happen: %s", strings.Join(faults, "; "))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
