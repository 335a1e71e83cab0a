package node

import (
	"context"
	"errors"
	"strconv"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
)

// goneEvery is the time between two looks at a process that is ending. Its closing
// backup takes 5 to 20 s.
const goneEvery = 500 * time.Millisecond

// StopService asks the service manager to stop Zigbee2MQTT.
//
// A manager that gives up early is not asked again while Zigbee2MQTT is still ending:
// that is waited for, as long as Timeouts.Ending. If the manager then still believes that it
// runs, it is made to forget.
func (n *Node) StopService(ctx context.Context) error {
	err := n.ask(ctx, service.VerbStop, n.service.Stop())
	if err == nil && n.service.GivesUpEarly() {
		err = n.settle(ctx)
	}
	return n.wrap("stop Zigbee2MQTT", err)
}

// settle waits until no process is left and brings the manager to see it.
func (n *Node) settle(ctx context.Context) error {
	if err := n.gone(ctx); err != nil {
		return err
	}
	told, err := n.askService(ctx)
	if err != nil || told.State != network.ServiceRunning && told.State != network.ServiceFailed {
		return err
	}
	return n.forget(ctx)
}

// gone waits until nobody holds the stick or the data directory.
func (n *Node) gone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeouts.Ending)
	defer cancel()
	for {
		r, err := n.probe(ctx)
		o := observation(r)
		var refused *network.RefusedError
		if errors.As(err, &refused) || err == nil && !o.Runs() {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(errStillEnding, err)
		case <-time.After(goneEvery):
		}
	}
}

var errStillEnding = errors.New("the service manager gave up and Zigbee2MQTT has still not ended")

// forget makes the manager forget a process that is not there any more.
func (n *Node) forget(ctx context.Context) error {
	cmd, ok := n.service.Clear()
	if !ok {
		return nil
	}
	cmd.Timeout = n.cfg.Timeouts.Service
	_, err := n.conn.Run(ctx, cmd)
	return err
}

// KillService ends Zigbee2MQTT at once, without its closing backup: by the service
// manager, then whoever still holds the stick or the data directory, by process id. The
// manager is then made to forget. Our own helper is left alone.
func (n *Node) KillService(ctx context.Context) error {
	return n.wrap("kill Zigbee2MQTT", n.kill(ctx))
}

func (n *Node) kill(ctx context.Context) error {
	if err := n.killByManager(ctx); err != nil {
		return err
	}
	r, err := n.probe(ctx)
	if err != nil {
		return err
	}
	if pids := foreignPIDs(observation(r)); len(pids) > 0 {
		cmd := remote.Command{Argv: append([]string{"kill", "-KILL"}, pids...), Become: true, Timeout: n.cfg.Timeouts.Look}
		if _, err := n.conn.Run(ctx, cmd); err != nil {
			return err
		}
	}
	return n.settle(ctx)
}

// killByManager goes by the manager's own command. One that has none is asked to stop if
// it would start Zigbee2MQTT again.
func (n *Node) killByManager(ctx context.Context) error {
	cmd, ok := n.service.Kill()
	if !ok {
		told, err := n.askService(ctx)
		if err != nil || told.Restart == "" {
			return err
		}
		cmd = n.service.Stop()
	}
	cmd.Timeout = n.cfg.Timeouts.Service
	_, err := n.conn.Run(ctx, cmd)
	return err
}

// foreignPIDs are those that hold something and are not our own, each once. Locks of
// processes that cannot be seen have no number.
func foreignPIDs(o network.Observation) []string {
	seen := map[int]bool{}
	var pids []string
	for _, holders := range [][]network.Process{o.TTYHolders, o.DataHolders} {
		for _, p := range holders {
			if p.Ours || p.PID <= 1 || seen[p.PID] {
				continue
			}
			seen[p.PID] = true
			pids = append(pids, strconv.Itoa(p.PID))
		}
	}
	return pids
}

// StartService asks the service manager to start Zigbee2MQTT, after it has been
// made to forget a process that is no longer there.
func (n *Node) StartService(ctx context.Context) error {
	err := n.clearStale(ctx)
	if err == nil {
		err = n.ask(ctx, service.VerbStart, n.service.Start())
	}
	return n.wrap("start Zigbee2MQTT", err)
}

// clearStale makes the manager forget a state that no process bears out. It refuses a
// unit that is masked, which cannot start.
func (n *Node) clearStale(ctx context.Context) error {
	told, err := n.askService(ctx)
	if err == nil && told.Enabled == service.Masked {
		return service.MaskedError(n.cfg.Service.Unit)
	}
	if err != nil || told.State != network.ServiceRunning && told.State != network.ServiceFailed {
		return err
	}
	if _, ok := n.service.Clear(); !ok {
		return nil
	}
	r, err := n.probe(ctx)
	if err != nil || observation(r).Runs() {
		return err
	}
	return n.forget(ctx)
}

func (n *Node) ask(ctx context.Context, verb service.Verb, cmd remote.Command) error {
	cmd.Timeout = n.cfg.Timeouts.Service
	out, err := n.conn.Run(ctx, cmd)
	if err != nil {
		return err
	}
	return n.service.Judge(verb, out)
}
