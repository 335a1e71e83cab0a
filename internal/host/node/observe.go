package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	o, err := n.observe(ctx)
	var lost *remote.LostError
	if errors.As(err, &lost) && ctx.Err() == nil {
		o, err = n.observe(ctx)
	}
	return o, n.wrap("look at the host", err)
}

func (n *Node) observe(ctx context.Context) (network.Observation, error) {
	told, err := n.askService(ctx)
	if err != nil {
		return network.Observation{}, err
	}
	r, err := n.probe(ctx)
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
	return n.service.Report(out), nil
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
