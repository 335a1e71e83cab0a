package node

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
)

// local are the entries of a data directory that stay with their host: logs,
// firmware images, and the links that Zigbee2MQTT makes to its own modules.
var local = []string{"/log", "/ota", "node_modules"}

// unfinished are files that some program has not finished writing; Zigbee2MQTT's own
// have more behind the .tmp.
var unfinished = []string{"database.db.tmp*", "coordinator_backup.json.tmp*", "*.tmp"}

// What stands for a value that is not known before the act, in Explain.
const (
	runWord      = "RUN"
	revisionWord = "REVISION"
	hashWord     = "HASH"
	portWord     = "PORT"
	pidWord      = "PID"
	channelWord  = "CHANNEL"
	networkWord  = "ID"
)

// Explain lists the command lines that op runs, in order, besides those that put
// the helper in place when a connection is new. RUN, REVISION, HASH, PORT,
// PID, CHANNEL and ID stand for what only the act knows.
func (n *Node) Explain(op engine.Op) []string {
	switch op {
	case engine.OpObserve:
		return n.lines(append(n.statusCommands(), n.ofHelper(n.observeCall(n.broker())))...)
	case engine.OpStop:
		return n.explainStop()
	case engine.OpStopFast:
		return n.explainStopFast()
	case engine.OpStart:
		return n.explainStart()
	case engine.OpEnable, engine.OpDisable:
		c, ok := n.service.Autostart(op == engine.OpEnable)
		if !ok {
			return []string{"nothing: there is no way to ask for that here"}
		}
		return n.lines(c)
	case engine.OpInspect, engine.OpPark, engine.OpReset, engine.OpReadStick, engine.OpReadKnown,
		engine.OpLoadStick, engine.OpPatchStick, engine.OpUnplug, engine.OpReplug, engine.OpListen:
		return n.stick.explain(op)
	case engine.OpKeepOdometer, engine.OpOdometer:
		return n.lines(n.filesCommand(op == engine.OpOdometer))
	case engine.OpCapture:
		return n.lines(n.ofHelper(n.captureCall()))
	case engine.OpStage:
		list := n.ofHelper(n.stagedCall(nil))
		port := n.ofHelper(n.portProbeCall(portWord))
		if n.cfg.Service.Kind == service.Docker { // it tells the host's name of the port
			return n.lines(slices.Concat([]remote.Command{n.filesCommand(false)}, n.statusCommands(), []remote.Command{port, list, list})...)
		}
		return n.lines(n.filesCommand(false), port, list, list)
	case engine.OpPromote, engine.OpUnpromote:
		return n.lines(n.ofHelper(n.promoteCall(runWord, staged{hash: hashWord}, op == engine.OpUnpromote)))
	}
	panic("node: operation " + string(op) + " is not explained")
}

func (n *Node) lines(commands ...remote.Command) []string {
	var lines []string
	for _, c := range commands {
		lines = append(lines, c.Line(n.conn.Become()))
	}
	return lines
}

func (n *Node) statusCommands() []remote.Command {
	if c, ok := n.service.Status(); ok {
		return []remote.Command{c}
	}
	return nil
}

// explainStop marks the line that runs only when the service manager still believes in
// a process that is gone.
func (n *Node) explainStop() []string {
	lines := n.lines(n.service.Stop())
	if !n.service.GivesUpEarly() {
		return lines
	}
	lines = append(lines, n.lines(n.ofHelper(n.probeCall()))...)
	lines = append(lines, n.signalCommand("TERM", pidWord).Line(n.conn.Become())+onlyWhen+"somebody still holds the stick or the data")
	lines = append(lines, n.lines(n.statusCommands()...)...)
	if c, ok := n.service.Clear(); ok {
		lines = append(lines, c.Line(n.conn.Become())+onlyWhen+"it says that a process runs, or has failed, that is not there")
	}
	return lines
}

// explainStopFast marks the lines of the stop that follows when it was not seen to save.
func (n *Node) explainStopFast() []string {
	lines := n.lines(n.ofHelper(n.endCall(runWord, fastBudget)))
	lines = append(lines, n.lines(append(n.statusCommands(), n.ofHelper(n.probeCall()))...)...)
	for _, line := range n.explainStop() {
		if !strings.Contains(line, onlyWhen) {
			line += onlyWhen + "it was not seen to save, or has not ended"
		}
		lines = append(lines, line)
	}
	return lines
}

// onlyWhen begins the condition behind a line of Explain.
const onlyWhen = "  # only when "

// explainStart marks the line that runs only when the service manager remembers a
// process that is gone.
func (n *Node) explainStart() []string {
	lines := n.lines(n.statusCommands()...)
	if c, ok := n.service.Unmask(); ok {
		lines = append(lines, c.Line(n.conn.Become())+onlyWhen+"it is masked")
	}
	if c, ok := n.service.Clear(); ok {
		lines = append(lines, c.Line(n.conn.Become())+onlyWhen+"it says that a process runs, or has failed, that is not there")
	}
	return append(lines, n.service.Start().Line(n.conn.Become()))
}

// ofHelper is the command of a call, with the place where the helper lies, or
// would lie.
func (n *Node) ofHelper(c call) remote.Command { return c.command(n.helper.place()) }

func (n *Node) filesCommand(readOnly bool) remote.Command {
	return remote.SFTPCommand(filesArgv(n.helper.place(), readOnly))
}

func filesArgv(helper string, readOnly bool) []string {
	return append([]string{helper}, helperapi.SFTPArgs{ReadOnly: readOnly}.Argv()...)
}

func (n *Node) probeCall() call { return n.observeCall("") }

// observeCall also tries the broker, unless that is "".
func (n *Node) observeCall(broker string) call {
	args := n.probeArgs()
	args.Broker = broker
	return call{argv: args.Argv(), timeout: n.cfg.Timeouts.Look}
}

func (n *Node) probeArgs() helperapi.ProbeArgs {
	return helperapi.ProbeArgs{TTY: n.cfg.Dongle, Data: n.cfg.Data, Staging: n.cfg.Staging}
}

// portProbeCall looks at another port besides.
func (n *Node) portProbeCall(also string) call {
	args := n.probeArgs()
	args.Also = also
	return call{argv: args.Argv(), timeout: n.cfg.Timeouts.Look}
}

func (n *Node) endCall(run string, budget time.Duration) call {
	fast := n.service.Fast()
	args := helperapi.EndArgs{
		TTY: n.cfg.Dongle, Data: n.cfg.Data, Budget: budget,
		Term: fast.Term, Ask: fast.Ask, Settle: fast.Settle, Run: run, State: n.runs(),
	}
	return call{argv: args.Argv(), timeout: n.cfg.Timeouts.Service + budget}
}

// captureCall lists the data directory and sends of it what it is asked for.
func (n *Node) captureCall() call {
	args := helperapi.ManifestArgs{Dir: n.cfg.Data, Exclude: slices.Concat(unfinished, local), Talk: true}
	return call{argv: args.Argv(), timeout: n.cfg.Timeouts.Files}
}

// stagedCall lists the staging directory, all that would be promoted.
func (n *Node) stagedCall(own []string) call {
	return n.listCallWithout(n.cfg.Staging, slices.Concat(local, own))
}

func (n *Node) listCallWithout(dir string, exclude []string) call {
	args := helperapi.ManifestArgs{Dir: dir, Exclude: exclude, Attached: true}
	return call{argv: args.Argv(), hold: true, timeout: n.cfg.Timeouts.Files}
}

func (n *Node) promoteCall(run string, s staged, undo bool) call {
	args := helperapi.PromoteArgs{
		Staging: n.cfg.Staging, Data: n.cfg.Data, Previous: path.Join(n.cfg.Previous, run),
		Run: run, Local: slices.Concat(local, s.local), Undo: undo, State: n.runs(),
	}
	if !undo {
		args.Expect = s.hash
	}
	return call{argv: args.Argv(), timeout: n.cfg.Timeouts.Files}
}

func (n *Node) infoCall() call {
	args := helperapi.InfoArgs{Port: n.cfg.Dongle, Attached: true}
	return call{argv: args.Argv(), hold: true, timeout: n.cfg.Timeouts.Look}
}

func (n *Node) parkCall(run string) call {
	args := helperapi.SilenceArgs{Port: n.cfg.Dongle, Run: run, State: n.runs()}
	return call{argv: args.ParkArgv(), timeout: n.cfg.Timeouts.Silence}
}

func (n *Node) resetCall(run string) call {
	args := helperapi.SilenceArgs{Port: n.cfg.Dongle, Run: run, State: n.runs()}
	return call{argv: args.ResetArgv(), timeout: n.cfg.Timeouts.Silence}
}

func (n *Node) readCall() call {
	args := helperapi.ReadArgs{Port: n.cfg.Dongle, Attached: true}
	return call{argv: args.Argv(), hold: true, timeout: n.cfg.Timeouts.Memory}
}

func (n *Node) readKnownCall(known *nvimage.Image) call {
	args := helperapi.ReadArgs{Port: n.cfg.Dongle, Known: true, Attached: true}
	return call{argv: args.Argv(), stdin: asJSON(helperapi.LayoutOf(known.Layout())), hold: true, timeout: n.cfg.Timeouts.Memory}
}

// patchCall hands over by standard input no more of the images than a patch reads: they
// hold keys.
func (n *Node) patchCall(p network.StickPatch) call {
	args := helperapi.PatchArgs{Port: n.cfg.Dongle, Run: p.Run, Reset: p.Reset, Keep: n.kept(), State: n.runs()}
	items := nvram.PatchItems(p.Known, p.Want)
	told := helperapi.Patch{From: p.From, Known: p.Known.Part(items).Encode(), Want: p.Want.Part(items).Encode()}
	return call{argv: args.Argv(), stdin: asJSON(told), timeout: n.cfg.Timeouts.Memory}
}

// asJSON is for plain values, which cannot fail.
func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("node: " + err.Error())
	}
	return b
}

func (n *Node) writeCall(load network.StickLoad) call {
	args := helperapi.WriteArgs{
		Image: helperapi.Stdin, Port: n.cfg.Dongle, Run: load.Run,
		FromRevision: load.From.Revision, AnyRevision: load.AnyRevision,
		ExpectBefore: load.ExpectBefore, Keep: n.kept(), State: n.runs(),
	}
	c := call{argv: args.Argv(), timeout: n.cfg.Timeouts.Memory}
	if load.Want != nil {
		c.stdin = load.Want.Encode()
	}
	return c
}

// runs is where the helper keeps run records, "" when it chooses.
func (n *Node) runs() string { return n.below("runs") }

// kept is where the helper keeps old images of sticks, "" when it chooses.
func (n *Node) kept() string { return n.below("kept") }

func (n *Node) below(name string) string {
	if n.cfg.State == "" {
		return ""
	}
	return path.Join(n.cfg.State, name)
}
