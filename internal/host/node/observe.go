package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"z2mha/internal/dongle/port"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
)

// Observe asks the service manager and looks at processes, tty and disk. It is an
// error when the look cannot see every process: an empty list would prove nothing. A
// look whose connection was lost under it is repeated once: it changes nothing.
func (n *Node) Observe(ctx context.Context) (network.Observation, error) {
	broker := n.brokerToTry(time.Now())
	o, err := n.observe(ctx, broker)
	var lost *remote.LostError
	if errors.As(err, &lost) && ctx.Err() == nil {
		o, err = n.observe(ctx, broker)
	}
	if err == nil {
		n.tellBroker(&o)
	}
	return o, n.wrap("look at the host", err)
}

// observe tries the broker too, unless that is "".
func (n *Node) observe(ctx context.Context, broker string) (network.Observation, error) {
	told, r, err := n.askBoth(ctx, broker)
	if err != nil {
		return network.Observation{}, err
	}
	o := observation(r)
	o.Node, o.At, o.TTY = n.cfg.Name, time.Now(), n.cfg.Dongle
	o.Service, o.Enabled, o.Restart, o.Watchdog = told.State, told.Enabled, told.Restart, told.Watchdog
	o.StartedBy = told.StartedBy
	o.Disable, o.ServiceTrouble = n.service.Disable(), told.Trouble
	orDefault(&o.Version, told.Version)
	if port.IsNetwork(n.cfg.Dongle) {
		o.TTYDevice = normalPort(n.cfg.Dongle)
	}
	return o, nil
}

// askBoth asks manager and helper, at the same time where that is sound: each answer
// takes two trips. OpenRC and commands of the user's own may set ZIGBEE2MQTT_DATA for
// what they run meanwhile, which the helper would take for a user of the data.
func (n *Node) askBoth(ctx context.Context, broker string) (told service.Report, r helperapi.ProbeResult, err error) {
	if kind := n.cfg.Service.Kind; kind != service.Systemd && kind != service.Docker {
		if told, err = n.askService(ctx); err == nil {
			r, err = n.lookWith(ctx, n.observeCall(broker))
		}
		return told, r, err
	}
	if _, _, err := n.helper.ready(ctx); err != nil {
		return told, r, err
	}
	var asking sync.WaitGroup
	var errAsking error
	asking.Go(func() { told, errAsking = n.askService(ctx) })
	r, err = n.lookWith(ctx, n.observeCall(broker))
	asking.Wait()
	return told, r, cmp.Or(errAsking, err)
}

// askService returns what the service manager believes.
func (n *Node) askService(ctx context.Context) (service.Report, error) {
	cmd, ok := n.service.Status()
	if !ok {
		return service.Report{State: network.ServiceUnknown}, nil
	}
	cmd.Timeout = n.cfg.Timeouts.Look
	out, err := n.conn.Run(ctx, cmd)
	if err != nil {
		return service.Report{}, err
	}
	return n.toldNow(n.service.Report(out)), nil
}

// toldStays is how long the word of a service manager is taken when it is about to be
// asked for something anyway.
const toldStays = 2 * time.Second

// told is what a service manager said, and when.
type told struct {
	service.Report
	at time.Time
}

func (n *Node) toldNow(r service.Report) service.Report {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = told{r, time.Now()}
	return r
}

// forgetTold is for what changes the manager's mind.
func (n *Node) forgetTold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = told{}
}

// recentlyTold is askService, unless that was just done.
func (n *Node) recentlyTold(ctx context.Context) (service.Report, error) {
	n.mu.Lock()
	last := n.told
	n.mu.Unlock()
	if age := time.Since(last.at); age >= 0 && age < toldStays {
		return last.Report, nil
	}
	return n.askService(ctx)
}

// probe is the helper's look at the host.
func (n *Node) probe(ctx context.Context) (helperapi.ProbeResult, error) {
	return n.lookWith(ctx, n.probeCall())
}

func (n *Node) lookWith(ctx context.Context, c call) (helperapi.ProbeResult, error) {
	r, err := callOnce[helperapi.ProbeResult](ctx, n, c)
	if err != nil {
		return r, err
	}
	if r.Blind {
		return r, &network.RefusedError{
			What: "see who uses stick and data", Why: r.BlindReason,
			Remedy: r.BlindRemedy,
		}
	}
	return r, nil
}

func observation(r helperapi.ProbeResult) network.Observation {
	o := network.Observation{
		HostID:      r.BootID,
		Version:     r.Version,
		TTYHolders:  processes(r.Holders),
		DataHolders: processes(r.DataHolders),

		ModemManager: r.ModemManager,
		Privileges:   r.Contained,
	}
	if !r.Root && o.Privileges == "" {
		o.Privileges = "the look was not root's, who alone sees all of every process; set become: sudo or doas for this node"
	}
	if b := r.Broker; b != nil {
		o.Broker = &network.Reach{Address: b.Address, OK: b.OK, Why: b.Why, Took: time.Duration(b.TookMS) * time.Millisecond}
		o.BrokerHere = b.Here
	}
	if t := r.TTY; t != nil {
		o.TTYPresent, o.TTYDevice = t.Present, t.Device
		if t.USB != nil {
			o.Stick = strings.Join(strings.Fields(t.USB.Manufacturer+" "+t.USB.Product+" "+t.USB.Serial), " ")
		}
	}
	for _, d := range []*helperapi.DataDir{r.Data, r.Staging} {
		if d != nil && (o.FreeBytes == 0 || d.FreeBytes < o.FreeBytes) {
			o.FreeBytes = d.FreeBytes
		}
	}
	if d := r.Data; d != nil && d.Exists {
		o.DataExists, o.DataID = true, fmt.Sprintf("%d:%d", d.Device, d.Inode)
	}
	return o
}

func processes(holders []helperapi.Holder) []network.Process {
	var all []network.Process
	for _, h := range holders {
		all = append(all, network.Process{PID: h.PID, Command: h.Command, Ours: h.Ours})
	}
	return all
}
