package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// restoreAdds is what Zigbee2MQTT adds to every counter when it restores a backup.
const restoreAdds = 2500

// yield takes the mark of a commissioned stick off the target's. Zigbee2MQTT then finds
// its backup beside a stick that is of no network, and restores it, with the counters
// that the staged file names. What was on the stick is kept already.
func (e *execution) yield(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	want, err := e.image(e.facts.KeptImage)
	if err != nil {
		return nil, err
	}
	want.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	rep, err := e.loadStick(ctx, x, s, network.StickLoad{Run: e.plan.ID + "-yield", Want: want, From: r.Sticks[s.Node].Stick, ExpectBefore: e.facts.KeptHash})
	if err != nil {
		return nil, err
	}
	e.facts.Loaded = time.Now()
	return []string{fmt.Sprintf("Zigbee2MQTT will not find a network on it and restore its backup, from frame counter %d; the stick says %s",
		e.facts.Floors.NWK+restoreAdds, rep.State)}, nil
}

// aboveFloor is g with a coordinator backup from which Zigbee2MQTT restores counters above
// everything that may have been used. The odometer knows of it before any stick does.
func (e *execution) aboveFloor(ctx context.Context, g generation.Generation) (generation.Generation, error) {
	_, b, err := e.coordinatorState()
	if err != nil {
		return g, err
	}
	floors, err := e.floors(ctx, e.plan.To, linkMargin)
	if err != nil {
		return g, err
	}
	b = ahead(b, linkMargin, func(netbackup.Device) bool { return true })
	b.FrameCounter = max(b.FrameCounter, floors.NWK)
	err = e.remember(func(r *network.Record) {
		r.Odometer = r.Odometer.Activated(b.FrameCounter.Add(restoreAdds), time.Now())
	})
	if err != nil {
		return g, err
	}
	e.facts.Floors = floors
	return e.withBackup(g, b)
}

// withBackup is g with another coordinator backup, whose content is on the shelf.
func (e *execution) withBackup(g generation.Generation, b *netbackup.Backup) (generation.Generation, error) {
	raw, err := b.Encode()
	if err != nil {
		return g, fmt.Errorf("write the raised coordinator backup: %w", err)
	}
	sum := sha256.Sum256(raw)
	hash := hex.EncodeToString(sum[:])
	if err := e.c.parts.Shelf.Put(hash, bytes.NewReader(raw)); err != nil {
		return g, fmt.Errorf("keep the raised coordinator backup: %w", err)
	}
	g.Files = slices.Clone(g.Files)
	for i, f := range g.Files {
		if f.Path == backupFile {
			g.Files[i].SHA256, g.Files[i].Size = hash, int64(len(raw))
		}
	}
	return g, nil
}
