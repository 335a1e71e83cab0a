package znpsim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// saveDelay gathers changes for the image file; a killed emulator loses that much.
const saveDelay = 50 * time.Millisecond

// touched plans to save the image. The caller holds the lock.
func (d *Dongle) touched() {
	if d.o.Path == "" || d.dirty {
		return
	}
	d.dirty = true
	d.m.after(saveDelay, func() {
		if err := d.write(); err != nil {
			d.o.Log.Error("image not saved", "stick", d.o.Name, "err", err)
		}
	})
}

func (d *Dongle) save() error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.write()
}

// write replaces the image file. It is an emulator's file: rename is enough, fsync
// would only slow down the tests.
func (d *Dongle) write() error {
	d.dirty = false
	if d.o.Path == "" {
		return nil
	}
	tmp := d.o.Path + ".tmp"
	if err := os.WriteFile(tmp, d.image.Encode(), 0o600); err != nil {
		return fmt.Errorf("save image of stick %s: %w", d.o.Name, err)
	}
	if err := os.Rename(tmp, d.o.Path); err != nil {
		return fmt.Errorf("save image of stick %s: %w", d.o.Name, err)
	}
	return nil
}

// addressFor makes a factory address that is the same for a name every time.
func addressFor(name string) zigbee.IEEE {
	sum := sha256.Sum256([]byte("znpsim address " + name))
	const oui = 0x00124b0000000000 // Texas Instruments
	return zigbee.IEEE(oui | uint64(binary.BigEndian.Uint32(sum[:])))
}
