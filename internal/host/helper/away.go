package helper

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// awayPatience is how long the kernel may take to follow the switch of a USB device.
const awayPatience = 10 * time.Second

// away is one unplug or replug.
type away struct {
	port, keep, sysfs string
}

func (c *call) parseAway() (a away, err error) {
	set := c.flags()
	set.StringVar(&a.keep, "keep", filepath.Join(stateHome(), keptDir), "`DIR` for the note which device it was")
	set.StringVar(&a.sysfs, "sysfs", "/sys", "`DIR` where the kernel shows its devices")
	args, err := c.parse(set, aPort)
	if err == nil {
		a.port = args[0]
	}
	return a, err
}

// runUnplug can be repeated: a port that is gone because of it leads to the note.
func runUnplug(c *call) error {
	a, err := c.parseAway()
	if err != nil {
		return err
	}
	device, err := port.FindAway(a.sysfs, a.port)
	if err != nil {
		if kept, kerr := a.kept(); kerr == nil && kept.Gone(a.sysfs) {
			device, err = kept, nil
		}
	}
	if err == nil {
		err = a.note(device)
	}
	if err != nil {
		return err
	}
	return c.switchAway(a, device, true)
}

// runReplug has nothing to do when the port is there.
func runReplug(c *call) error {
	a, err := c.parseAway()
	if err != nil {
		return err
	}
	device, err := a.kept()
	if errors.Is(err, fs.ErrNotExist) {
		if device, err = port.FindAway(a.sysfs, a.port); err == nil {
			return c.sayAway(device, false)
		}
	}
	if err != nil {
		return err
	}
	if err := c.switchAway(a, device, false); err != nil {
		return err
	}
	return durable.Disk{}.Remove(a.file())
}

func (c *call) switchAway(a away, device port.Away, gone bool) error {
	ctx, cancel := context.WithTimeout(c.ctx, awayPatience)
	defer cancel()
	if err := device.Take(ctx, a.sysfs, gone); err != nil {
		return helperapi.Errorf(helperapi.ExitIO, "%v", err)
	}
	return c.sayAway(device, gone)
}

func (c *call) sayAway(device port.Away, gone bool) error {
	r := helperapi.AwayResult{Device: device.Name(), USB: helperapi.USB(device.USB), Away: gone}
	return c.out.result(r, func(w io.Writer) { sayAway(w, r) })
}

// file is the note about the device behind a port.
func (a away) file() string {
	return filepath.Join(a.keep, fmt.Sprintf("away-%.8x.json", sha256.Sum256([]byte(a.port))))
}

func (a away) note(device port.Away) error {
	data, err := json.Marshal(device)
	if err != nil {
		return err
	}
	if err := (durable.Disk{}).MkdirAll(a.keep, 0o700); err != nil {
		return err
	}
	return durable.WriteFile(a.file(), data, 0o600)
}

func (a away) kept() (device port.Away, err error) {
	data, err := os.ReadFile(a.file())
	if err != nil {
		return device, err
	}
	return device, json.Unmarshal(data, &device)
}

// runListen counts as a verb that writes: the stick is to end in HOLD, whatever happens to
// the connection.
func runListen(c *call) error {
	set := c.flags()
	channel := set.Uint("channel", 0, "the network's `CHANNEL`, 11 to 26")
	id := set.String("ext-pan-id", "", "the network's extended PAN `ID`")
	args, err := c.parse(set, aPort)
	if err != nil {
		return err
	}
	pan, err := zigbee.ParseExtPanID(*id)
	if err != nil || *channel < 11 || *channel > 26 {
		return helperapi.Errorf(helperapi.ExitUsage, "listen needs --channel 11 to 26 and --ext-pan-id, which networks are known by")
	}
	who := zigbee.Identity{Channel: zigbee.Channel(*channel), ExtPanID: pan}
	heard, err := on(c.ctx, c, args[0], func(client *znp.Client) (nvram.Heard, error) {
		return nvram.Listen(c.ctx, client, who)
	})
	if err != nil {
		return err
	}
	r := helperapi.HeardResult(heard)
	return c.out.result(r, func(w io.Writer) { sayHeard(w, r) })
}
