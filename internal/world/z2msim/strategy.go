package z2msim

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

// A strategy is how herdsman starts on a stick, in the word it logs.
type strategy string

const (
	resumed  strategy = "resumed"
	restored strategy = "restored" // from coordinator_backup.json, on air under a foreign identity meanwhile
	reset    strategy = "reset"    // a new network, and database.db emptied
	mismatch strategy = "configuration-adapter mismatch"
)

// chooseStrategy compares what herdsman compares and nothing else: no address, no
// counter, no channel. nv holds the items of a resumed start; saved is nil without
// a backup file.
func chooseStrategy(want zigbee.Identity, nv *nvimage.Image, saved *openBackup) strategy {
	fromBackup := saved != nil && saved.matches(want)
	switch {
	case !nv.Configured() && fromBackup:
		return restored
	case !nv.Configured():
		return reset
	case adapterMatches(want, nv):
		return resumed
	case saved != nil && saved.matchesAdapter(nv):
		return mismatch
	case fromBackup:
		return restored
	}
	return reset
}

func adapterMatches(want zigbee.Identity, nv *nvimage.Image) bool {
	have, err := nv.Identity()
	if err != nil {
		return false
	}
	alternate, _ := nv.Get(nvimage.OSAL(nvimage.NwkAlternKeyInfo))
	return have.PanID == want.PanID && sameExtPan(want.ExtPanID, have.ExtPanID) &&
		have.Key == want.Key && len(alternate) >= 17 && bytes.Equal(alternate[1:17], want.Key[:])
}

// sameExtPan is lenient as herdsman is: either byte order, and the default means any.
func sameExtPan(want, have zigbee.ExtPanID) bool {
	return want == have || want == defaultExtPanID || zigbee.ExtPanIDFromLE(reversed(want.LE())) == have
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	return out
}

// startItems are read at every start, in this order.
var startItems = []uint16{
	nvimage.NwkKey, nvimage.HasConfiguredZStack3, nvimage.Nib,
	nvimage.PrecfgKey, nvimage.NwkActiveKeyInfo, nvimage.NwkAlternKeyInfo,
}

// readStart reads what the strategy is decided on. EXTADDR is taken along so that
// the items name an identity.
func (s *stick) readStart(ctx context.Context) (*nvimage.Image, error) {
	nv := nvimage.New()
	if err := s.readItems(ctx, nv, startItems...); err != nil {
		return nil, err
	}
	if key, _ := nv.Get(nvimage.OSAL(nvimage.NwkKey)); len(key) != 24 {
		return nil, errors.New("NWKKEY is missing or short: cannot read properties of null")
	}
	return nv, s.readItems(ctx, nv, nvimage.ExtAddr)
}

// readItems copies OSAL items into nv; an absent one is left out.
func (s *stick) readItems(ctx context.Context, nv *nvimage.Image, ids ...uint16) error {
	for _, id := range ids {
		value, err := s.client.ReadOSAL(ctx, id)
		if errors.Is(err, znp.ErrNoItem) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %v: %w", nvimage.OSAL(id), err)
		}
		nv.Set(nvimage.OSAL(id), value)
	}
	return nil
}
