// Package ending ends Zigbee2MQTT as soon as it has saved what it knows, without the
// closing backup of the stick that takes it 5 to 20 s more.
//
// On a TERM Zigbee2MQTT 2.14 writes state.json, says goodbye to the broker, closes
// joining, writes database.db, and only then begins that backup, of which it writes
// nothing before it is whole. So once both files are new and whole nothing is lost by a
// KILL. Who is not seen to have saved is not killed.
//
// A KILL proves nothing to a service manager that restarts what ends: it must have been
// asked to stop before, and the TERM must come by way of it.
package ending

import (
	"context"
	"fmt"
	"os"
	"slices"

	"time"

	"z2mha/internal/host/helperapi"
)

const (
	lookEvery   = 10 * time.Millisecond // at the two files
	holderEvery = 20 * time.Millisecond // at all processes, which costs more
	releaseTime = 5 * time.Second       // for port and directory to be free after a KILL
	askTime     = time.Minute           // for the manager to answer
	passing     = time.Second           // for who only passes by in the data directory to be gone
)

// End ends, on a machine, those who hold a.TTY and work on a.Data. Whatever it could not do is in the
// result's Why; an error means that it could not look, or that ctx ended before
// anybody was killed.
func End(ctx context.Context, on Machine, a helperapi.EndArgs) (helperapi.EndResult, error) {
	e := &ending{on: on, args: a, begun: time.Now()}
	err := e.run(ctx)
	e.result.TookMS = time.Since(e.begun).Milliseconds()
	return e.result, err
}

type ending struct {
	on     Machine
	args   helperapi.EndArgs
	begun  time.Time
	result helperapi.EndResult
	ask    *asked
}

func (e *ending) run(ctx context.Context) error {
	found, users, err := e.look()
	for until := e.begun.Add(passing); err == nil && len(found) == 0 && users > 0 && time.Now().Before(until); {
		if err = pause(ctx, holderEvery); err == nil {
			found, users, err = e.look()
		}
	}
	if err != nil {
		return err
	}
	e.result.Found = found
	if len(found) == 0 {
		e.result.Gone = users == 0
		e.result.Why = "nobody holds the stick and works on the data directory"
		return nil
	}
	saving := watch(e.args.Data)
	e.begun = time.Now()
	if err := e.request(found); err != nil {
		return err
	}
	defer e.ask.wait(ctx, askTime)
	if err := e.untilSaved(ctx, saving, found); err != nil || e.result.Why != "" {
		return err
	}
	if e.result.Saved {
		if err := e.kill(found); err != nil {
			return err
		}
	}
	return e.release(ctx)
}

// look finds who is to end, and counts who uses port or directory at all. Our own
// helpers and what cannot be signalled are never to end.
func (e *ending) look() (found []helperapi.Holder, users int, err error) {
	ports, dirs, err := e.on.Users(e.args.TTY, e.args.Data)
	if err != nil {
		return nil, 0, err
	}
	for _, p := range ports {
		both := slices.ContainsFunc(dirs, func(d helperapi.Holder) bool { return d.PID == p.PID })
		if both && !p.Ours && p.PID > 1 && p.PID != os.Getpid() {
			found = append(found, p)
		}
	}
	return found, len(ports) + len(dirs), nil
}

// request asks for the end: the manager, the processes, or both.
func (e *ending) request(found []helperapi.Holder) (err error) {
	if e.ask, err = e.shell(e.args.Ask); err != nil {
		return err
	}
	if !e.args.Term || slices.ContainsFunc(found, func(h helperapi.Holder) bool { return e.on.Supervised(h.PID) }) {
		return nil
	}
	for _, h := range found {
		if err := e.on.Terminate(h.PID); err != nil {
			return fmt.Errorf("send TERM to process %d: %w", h.PID, err)
		}
	}
	return nil
}

// untilSaved waits for the two files, or until the processes have ended by themselves.
func (e *ending) untilSaved(ctx context.Context, saving *saving, found []helperapi.Holder) error {
	until := e.begun.Add(e.args.Budget)
	for {
		ended := !slices.ContainsFunc(found, func(h helperapi.Holder) bool { return e.on.Lives(h.PID) })
		if saving.done() {
			e.result.Saved, e.result.SaveMS = true, time.Since(e.begun).Milliseconds()
		}
		switch {
		case e.ask.failed():
			e.result.Saved = false
			e.result.Why = "the service manager could not be asked to stop it"
			return nil
		case e.result.Saved || ended:
			return nil
		case time.Now().After(until):
			e.result.Why = fmt.Sprintf("it was not seen to save within %s: %s", e.args.Budget, saving.missing())
			return nil
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// kill looks once more, with every process pinned so that its number cannot come to mean
// another, and kills those who still hold the port and work on the directory.
func (e *ending) kill(found []helperapi.Holder) error {
	pinned := map[int]func() error{}
	for _, h := range found {
		if kill, release, err := e.on.Pin(h.PID); err == nil {
			pinned[h.PID] = kill
			defer release()
		}
	}
	still, _, err := e.look()
	if err != nil {
		return err
	}
	for _, h := range still {
		if kill := pinned[h.PID]; kill != nil && kill() == nil {
			e.result.Killed = append(e.result.Killed, h)
		}
	}
	return nil
}

// release waits until nobody uses port and directory and the manager has seen it.
func (e *ending) release(ctx context.Context) error {
	until := time.Now().Add(releaseTime)
	for {
		_, users, err := e.look()
		if err != nil {
			return err
		}
		if users == 0 {
			break
		}
		if time.Now().After(until) {
			e.result.Why = fmt.Sprintf("%d processes still use port or directory", users)
			return nil
		}
		if err := pause(ctx, holderEvery); err != nil {
			return err
		}
	}
	e.result.Gone = true
	e.ask.wait(ctx, askTime)
	settle, err := e.shell(e.args.Settle)
	if err != nil {
		return err
	}
	settle.wait(ctx, askTime)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return helperapi.Errorf(helperapi.ExitInterrupted, "interrupted")
	}
}
