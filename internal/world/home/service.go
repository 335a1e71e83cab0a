package home

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serviceScript is what stands in for a service manager: start, stop and status of
// one program, by a pid file. It knows nothing of sticks. A zombie does not count
// as running.
const serviceScript = `#!/bin/sh
# The Zigbee2MQTT service of one simulated host.
here=%[1]s
pidfile=$here/service.pid
export ZIGBEE2MQTT_DATA=%[2]s
export Z2M_ONBOARD_NO_SERVER=1

running() {
	[ -s "$pidfile" ] && readlink "/proc/$(cat "$pidfile")/exe" >/dev/null 2>&1
}

case $1 in
start)
	running && exit 0
	cd "$here" || exit 1
	setsid %[3]s </dev/null >>"$here/zigbee2mqtt.log" 2>&1 &
	echo $! >"$pidfile"
	;;
stop)
	running || exit 0
	pid=$(cat "$pidfile")
	kill -TERM "$pid"
	waited=0
	while running && [ $waited -lt 300 ]; do
		sleep 0.1
		waited=$((waited + 1))
	done
	! running
	;;
kill)
	running && kill -KILL "$(cat "$pidfile")"
	;;
status)
	if running; then echo running; else echo stopped; exit 3; fi
	;;
*)
	echo "usage: $0 start|stop|kill|status" >&2
	exit 2
	;;
esac
`

// writeService installs the script that starts program with its arguments.
func (n *Node) writeService(program []string) error {
	quoted := make([]string, len(program))
	for i, arg := range program {
		quoted[i] = quote(arg)
	}
	script := fmt.Sprintf(serviceScript, quote(n.Dir), quote(n.Data), strings.Join(quoted, " "))
	return os.WriteFile(n.Script(), []byte(script), 0o755)
}

// Script is the service: start, stop, kill or status as its argument.
func (n *Node) Script() string { return filepath.Join(n.Dir, "zigbee2mqtt-service") }

// quote makes s one word for sh.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Service runs the node's service script by hand, as a person at the host would.
func (n *Node) Service(ctx context.Context, verb string) error {
	out, err := exec.CommandContext(ctx, n.Script(), verb).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s zigbee2mqtt on %s: %w: %s", verb, n.Name, err, out)
	}
	return nil
}

// PID is the process that the service started last, 0 when it does not run.
func (n *Node) PID() int {
	raw, err := os.ReadFile(filepath.Join(n.Dir, "service.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || !n.owns(pid) {
		return 0
	}
	return pid
}

// owns says that pid is a living program that works on the node's data directory,
// and not one that has got the number since.
func (n *Node) owns(pid int) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && strings.Contains("\x00"+string(env), "\x00ZIGBEE2MQTT_DATA="+n.Data+"\x00")
}

// Kill ends the node's Zigbee2MQTT at once, without giving it a chance to tidy up.
func (n *Node) Kill() error {
	pid := n.PID()
	if pid == 0 {
		return nil
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// ended waits until the service's program is gone.
func (n *Node) ended(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n.PID() != 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("zigbee2mqtt on %s does not end: %w", n.Name, ctx.Err())
		}
	}
	return nil
}

// halt ends whatever the service still runs.
func (n *Node) halt(ctx context.Context) error {
	return errors.Join(n.Kill(), n.ended(ctx))
}

// Log is the end of what Zigbee2MQTT printed on this host, without the messages it
// publishes all the time.
func (n *Node) Log() string {
	raw, err := os.ReadFile(filepath.Join(n.Dir, "zigbee2mqtt.log"))
	if err != nil {
		return ""
	}
	lines := slices.Collect(strings.Lines(string(raw)))
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "MQTT publish: ") })
	const most = 40
	return strings.Join(lines[max(0, len(lines)-most):], "")
}
