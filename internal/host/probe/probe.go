// Package probe looks at a host without changing anything: who has the stick's port
// open, who works on the data directory, how much room there is. The port itself is
// never opened, since that alone can disturb a stick that is on air.
//
// A look without root's rights cannot see everything. It then says so (Blind), and an
// empty list proves nothing.
package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
	"z2mha/internal/host/helperapi"
)

// Look answers a probe. What cannot be found out is left empty; the only errors are
// paths that make no sense.
func Look(a helperapi.ProbeArgs) (r helperapi.ProbeResult, err error) {
	r.Time = time.Now().UTC()
	r.Hostname, _ = os.Hostname()
	r.HostID, r.BootID, r.UptimeMS = hostID(), bootID(), uptimeMS()
	r.Root = os.Geteuid() == 0
	if a.Broker != "" {
		reached := make(chan *helperapi.Reach, 1) // beside the look at the host
		go func() { reached <- reach(a.Broker) }()
		defer func() { r.Broker = <-reached }()
	}
	if a.TTY != "" {
		if err := lookAtPort(&r, a.TTY); err != nil {
			return r, err
		}
	}
	if a.Also != "" {
		r.Also = describe(a.Also)
	}
	var users []user
	if a.Data != "" {
		r.Data = Directory(a.Data)
		if users, err = usersOf(folderAt(a.Data)); err != nil {
			blind(&r, err)
		}
		r.DataHolders = holders(users)
	}
	if a.Staging != "" {
		r.Staging = Directory(a.Staging)
	}
	sight{proc: procDir, euid: os.Geteuid()}.limits(&r)
	r.Version = version(a, users)
	r.ModemManager = r.TTY != nil && modemManaged(r.TTY.Device)
	return r, nil
}

// DataHolders names the processes that work on Zigbee2MQTT's data directory dir, other
// than this one and those it was started by. Processes that cannot be looked into are
// left out silently.
func DataHolders(dir string) ([]helperapi.Holder, error) {
	users, err := usersOf(folderAt(dir))
	if errors.Is(err, errBlind) {
		err = nil
	}
	return holders(users), err
}

func lookAtPort(r *helperapi.ProbeResult, address string) error {
	r.TTY = describe(address)
	if !r.TTY.Present {
		return nil
	}
	found, err := port.Holders(address)
	for _, h := range found {
		r.Holders = append(r.Holders, helperapi.Holder{PID: h.PID, Command: h.Command, Locked: h.Locked, Ours: process(h.PID).ours()})
	}
	if errors.Is(err, port.ErrIncomplete) {
		blind(r, err)
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		r.TTY.Present = false // unplugged just now
		return nil
	}
	return err
}

// describe says what is known of a port without asking it.
func describe(address string) *helperapi.TTY {
	t := &helperapi.TTY{Path: address}
	if port.IsNetwork(address) {
		t.Present = true
	} else {
		describeDevice(t)
	}
	return t
}

// describeDevice says which device is behind a path; a stick that is not plugged in
// leaves Present false.
func describeDevice(t *helperapi.TTY) {
	real, err := filepath.EvalSymlinks(t.Path)
	if err != nil {
		return
	}
	t.Resolved = real
	var st unix.Stat_t
	if unix.Stat(real, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return
	}
	t.Present = true
	t.Device = fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	if usb, ok := port.Describe(t.Path); ok {
		known := helperapi.USB(usb)
		t.USB = &known
	}
}

func blind(r *helperapi.ProbeResult, why error) {
	limit{why.Error(), "set become: sudo or doas for this node"}.tell(r)
}
