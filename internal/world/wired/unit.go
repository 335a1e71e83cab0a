package wired

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"z2mha/internal/world/sshhost"
	"z2mha/internal/world/z2msim"
)

// What systemd does with its defaults, and with RestartSec=5.
const (
	stopTimeout = 90 * time.Second
	restartWait = 5 * time.Second
)

// A unit is zigbee2mqtt.service of a host, as systemd looks after it.
type unit struct {
	host *Host

	mu       sync.Mutex // guards what follows
	enabled  bool
	masked   bool
	restarts bool // Restart=on-failure
	main     *process
	state    string // ActiveState; "" is inactive
	wanted   bool   // it was started and not stopped
	cause    cause  // of the last start
}

// A cause is who started Zigbee2MQTT.
type cause string

const (
	byController cause = "the controller"
	byPerson     cause = "a person"
	byBoot       cause = "the boot of its host"
	byRestart    cause = "its service manager, again"
)

// startedBy is who started what runs, or ran last.
func (u *unit) startedBy() cause {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cause
}

func (u *unit) show() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	state, load, file, restart, pid := u.state, "loaded", "disabled", "no", 0
	if state == "" {
		state = "inactive"
	}
	if u.enabled {
		file = "enabled"
	}
	if u.masked {
		load, file = "masked", "masked"
	}
	if u.restarts {
		restart = "on-failure"
	}
	if u.main != nil {
		pid = u.main.pid
	}
	return fmt.Sprintf("Id=zigbee2mqtt.service\nLoadState=%s\nActiveState=%s\nSubState=%s\nMainPID=%d\nUnitFileState=%s\nRestart=%s\nWantedBy=\n",
		load, state, state, pid, file, restart)
}

func (u *unit) enable(yes bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.enabled = yes
}

// ctl is systemctl.
func (u *unit) ctl(argv []string, s sshhost.Stdio) int {
	switch argv[0] {
	case "start":
		return u.start(s.Err, byController)
	case "stop":
		u.stop(!slices.Contains(argv, "--no-block"))
	case "kill":
		if p := u.process(); p != nil {
			p.kill()
		}
	case "enable":
		u.enable(true)
	case "unmask":
		u.mu.Lock()
		u.masked = false
		u.mu.Unlock()
	case "reset-failed":
		u.mu.Lock()
		if u.state == "failed" {
			u.state = ""
		}
		u.mu.Unlock()
	default:
		fmt.Fprintf(s.Err, "Unknown command verb %s.\n", argv[0])
		return 1
	}
	return 0
}

func (u *unit) process() *process {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.main
}

func (u *unit) start(errors io.Writer, by cause) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.masked {
		fmt.Fprintln(errors, "Failed to start zigbee2mqtt.service: Unit zigbee2mqtt.service is masked.")
		return 1
	}
	u.wanted = true
	if u.main == nil {
		u.runLocked(by)
	}
	return 0
}

// runLocked starts Zigbee2MQTT and attends it to its end.
func (u *unit) runLocked(by cause) {
	h := u.host
	u.cause = by
	ctx, stop := context.WithCancel(context.Background())
	p := h.spawn("node index.js", h.data, false, stop)
	u.main, u.state = p, "active"
	o := z2msim.Options{DataDir: h.data, Stdout: h.w.output(h.name), Killed: p.killed,
		Open: func(ctx context.Context, path string) (io.ReadWriteCloser, error) { return h.open(ctx, p, path) },
		Dial: func() (net.Conn, error) { return p.dialBroker() },
	}
	h.w.work.Go(func() {
		defer stop()
		status := z2msim.Run(ctx, o)
		p.ended(status)
	})
	h.w.work.Go(func() {
		<-p.done
		u.ended(p)
	})
}

func (p *process) dialBroker() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := p.host.broker.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.holds(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (u *unit) ended(p *process) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.main != p {
		return
	}
	u.main, u.state = nil, ""
	u.host.w.log("%s: Zigbee2MQTT ended with %d", u.host.name, p.status)
	if !u.wanted || p.status == 0 {
		return
	}
	u.state = "failed"
	if u.restarts {
		u.state = "activating"
		u.host.w.later(restartWait, func() { u.again() })
	}
}

// again is the automatic restart.
func (u *unit) again() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state == "activating" && u.wanted && u.main == nil {
		u.runLocked(byRestart)
	}
}

// stop sends a TERM, and a KILL to one that has not ended in time.
func (u *unit) stop(wait bool) {
	u.mu.Lock()
	u.wanted = false
	p := u.main
	if p != nil {
		u.state = "deactivating"
	} else {
		u.state = ""
	}
	u.mu.Unlock()
	if p == nil {
		return
	}
	p.term()
	ends := func() {
		t := time.NewTimer(stopTimeout)
		defer t.Stop()
		select {
		case <-p.done:
		case <-t.C:
			p.kill()
		}
	}
	if wait {
		ends()
		return
	}
	u.host.w.work.Go(ends)
}

// gone is the power: nothing of the unit is left but its files.
func (u *unit) gone() {
	u.mu.Lock()
	p := u.main
	u.main, u.state, u.wanted = nil, "", false
	u.mu.Unlock()
	if p != nil {
		p.kill()
	}
}
