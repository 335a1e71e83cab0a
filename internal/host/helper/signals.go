package helper

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// takeSignals prepares ctx and stopped and returns what undoes it. Interrupt and
// terminate end a reading verb at once, a hang-up too; of a writing verb they end
// stopped, and a hang-up or a closed pipe means nothing to it.
func (c *call) takeSignals() (release func()) {
	if stop := c.env.Stop; stop != nil {
		c.ctx, c.stopped = stop, stop
		if c.verb.writes {
			c.ctx = context.WithoutCancel(stop)
		}
		return func() {}
	}
	if c.verb.writes {
		return c.takeSignalsForWriting()
	}
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	c.ctx, c.stopped = ctx, ctx
	return release
}

func (c *call) takeSignalsForWriting() (release func()) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c.ctx, c.stopped = context.Background(), ctx
	return release
}

// attach makes a reading verb stop when its standard input ends, which is how a lost
// connection shows where no signal comes.
func (c *call) attach(attached bool) {
	if !attached {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.ctx = ctx
	go func() {
		_, _ = io.Copy(io.Discard, c.env.Stdin)
		cancel()
	}()
}
