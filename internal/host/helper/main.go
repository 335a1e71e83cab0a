// Package helper is the command line of znp-helper: what happens on a host next to
// its stick and its disk.
//
// A verb that only reads stops when the connection it was started over goes away. A
// verb that writes does not notice: it ignores the hang-up, stops on request only
// where stopping is harmless, and leaves a run record from which the caller learns
// how it ended. See package runrecord.
package helper

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"z2mha/internal/host/helperapi"
)

// Env is the world of one invocation.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	StdoutTerminal bool // then a person reads, and gets text
	StderrTerminal bool // then progress is drawn
	Machine        Machine
	// Stop ends when the verb shall end; nil: the process's own signals say so.
	Stop context.Context
}

// OSEnv is the process's own.
func OSEnv() Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		StdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		StderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Machine:        here{},
	}
}

// Main runs the verb args[0] and returns the exit status. Unless env.Stop is given it takes
// charge of the process's signals.
func Main(env Env, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(env.Stderr, usage())
		return int(helperapi.ExitUsage)
	}
	if isHelp(args[0]) {
		fmt.Fprint(env.Stdout, usage())
		return int(helperapi.ExitOK)
	}
	out := newOutput(env)
	v, ok := findVerb(args[0])
	if !ok {
		return out.fail(helperapi.Errorf(helperapi.ExitUsage, "%q is no verb; \"znp-helper help\" lists them", args[0]))
	}
	c := &call{env: env, out: out, verb: v, args: args[1:]}
	defer c.takeSignals()()
	if err := v.run(c); err != nil {
		return out.fail(err)
	}
	return int(helperapi.ExitOK)
}

func isHelp(word string) bool {
	return word == "help" || word == "-h" || word == "-help" || word == "--help"
}

// A call is one invocation of a verb.
type call struct {
	env  Env
	out  *output
	verb verb
	args []string

	// ctx ends when a verb that reads shall stop. For one that writes it never does;
	// stopped ends instead, to be obeyed where that is harmless.
	ctx     context.Context
	stopped context.Context
}

// beforeWriting returns a context for the part of a writing verb that has changed
// nothing yet and may stop anywhere: it ends when stopped does, unless begin was called
// before. begin fails when it came too late. release frees what the context holds.
func (c *call) beforeWriting() (ctx context.Context, begin func() error, release func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	var mu sync.Mutex
	begun := false
	unwatch := context.AfterFunc(c.stopped, func() {
		mu.Lock()
		defer mu.Unlock()
		if !begun {
			cancel()
		}
	})
	begin = func() error {
		mu.Lock()
		defer mu.Unlock()
		begun = true
		return ctx.Err()
	}
	return ctx, begin, func() { unwatch(); cancel() }
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
