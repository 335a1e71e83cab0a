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
// A manager that gives up early may not even have reached it: its pid file may hold npm,
// and the shell that npm starts passes no signal on. So whoever still holds the stick
// then is sent a TERM, which Zigbee2MQTT ignores when it is ending already, and is waited
// for as long as Timeouts.Ending. If the manager still believes that it runs, it is made
// to forget.
func (n *Node) StopService(ctx context.Context) error {
	err := n.ask(ctx, service.VerbStop, n.service.Stop())
	if err == nil && n.service.GivesUpEarly() {
		err = n.end(ctx, "TERM")
	}
	return n.wrap("stop Zigbee2MQTT", err)
}

// end sends a signal to whoever is left, waits until nobody is, and brings the manager to
// see it.
func (n *Node) end(ctx context.Context, signal string) error {
	r, err := n.probe(ctx)
	if err != nil {
		return err
	}
	if o := observation(r); o.Runs() {
		err = n.signal(ctx, signal, o)
		if err == nil {
			err = n.gone(ctx)
		}
	}
	if err != nil {
		return err
	}
	told, err := n.askService(ctx)
	if err != nil || told.State != network.ServiceRunning && told.State != network.ServiceFailed {
		return err
	}
	return n.forget(ctx)
}

// signal reaches those who hold the stick; when nobody does, those who work on the data
// directory. Our own helper is left alone.
func (n *Node) signal(ctx context.Context, name string, o network.Observation) error {
	pids := foreignPIDs(o.TTYHolders)
	if len(pids) == 0 {
		pids = foreignPIDs(o.DataHolders)
	}
	if len(pids) == 0 {
		return nil
	}
	_, err := n.conn.Run(ctx, n.signalCommand(name, pids...)) // whoever has ended meanwhile makes it fail
	return err
}

func (n *Node) signalCommand(name string, pids ...string) remote.Command {
	return remote.Command{Argv: append([]string{"kill", "-" + name}, pids...), Become: true, Timeout: n.cfg.Timeouts.Look}
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
	n.forgetTold()
	cmd.Timeout = n.cfg.Timeouts.Service
	_, err := n.conn.Run(ctx, cmd)
	return err
}

// KillService ends Zigbee2MQTT at once, without its closing backup: by the service
// manager, then by process id. The manager is then made to forget.
func (n *Node) KillService(ctx context.Context) error {
	err := n.killByManager(ctx)
	if err == nil {
		err = n.end(ctx, "KILL")
	}
	return n.wrap("kill Zigbee2MQTT", err)
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

// foreignPIDs are those that are not our own. A lock of a process that cannot be seen
// may have no number.
func foreignPIDs(holders []network.Process) []string {
	var pids []string
	for _, p := range holders {
		if !p.Ours && p.PID > 1 {
			pids = append(pids, strconv.Itoa(p.PID))
		}
	}
	return pids
}

// StartService asks the service manager to start Zigbee2MQTT, after it has been
// made to forget a process that is no longer there. A mask, which keeps people from
// starting it by mistake, is taken off: whoever asks here has proven all others silent.
func (n *Node) StartService(ctx context.Context) error {
	err := n.clearStale(ctx)
	if err == nil {
		err = n.ask(ctx, service.VerbStart, n.service.Start())
	}
	return n.wrap("start Zigbee2MQTT", err)
}

// clearStale makes the manager forget a state that no process bears out.
func (n *Node) clearStale(ctx context.Context) error {
	told, err := n.recentlyTold(ctx)
	if err == nil && told.Enabled == service.Masked {
		told, err = n.unmask(ctx)
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

// unmask takes the mask off and looks whether it is gone.
func (n *Node) unmask(ctx context.Context) (service.Report, error) {
	if cmd, ok := n.service.Unmask(); ok {
		cmd.Timeout = n.cfg.Timeouts.Service
		if _, err := n.conn.Run(ctx, cmd); err != nil {
			return service.Report{}, err
		}
	}
	told, err := n.askService(ctx)
	if err == nil && told.Enabled == service.Masked {
		err = service.MaskedError(n.cfg.Service.Unit)
	}
	return told, err
}

func (n *Node) ask(ctx context.Context, verb service.Verb, cmd remote.Command) error {
	n.forgetTold()
	cmd.Timeout = n.cfg.Timeouts.Service
	out, err := n.conn.Run(ctx, cmd)
	if err != nil {
		return err
	}
	return n.service.Judge(verb, out)
}
