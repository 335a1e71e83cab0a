package nvimage

import (
	"bytes"
	"encoding/binary"

	"z2mha/internal/dongle/zigbee"
)

const (
	nibSecurityLevel = 12
	nibChannelList   = 40
)

// Network is what the NIB tells beside the identity: the security level and the
// channels allowed, one bit each. The error is that of Identity.
func (m *Image) Network() (securityLevel uint8, channels uint32, err error) {
	nib, err := m.sized(Nib, nibLen)
	if err != nil {
		return 0, 0, err
	}
	return nib[nibSecurityLevel], binary.LittleEndian.Uint32(nib[nibChannelList:]), nil
}

// Seed is what the trust-centre link keys follow from; false when the stick has none.
func (m *Image) Seed() (zigbee.Key, bool) {
	v := m.items[OSAL(TclkSeed)]
	if len(v) != len(zigbee.Key{}) {
		return zigbee.Key{}, false
	}
	return zigbee.Key(v), true
}

// PutSeed replaces the seed of a stick that has one.
func (m *Image) PutSeed(seed zigbee.Key) { copy(m.items[OSAL(TclkSeed)], seed[:]) }

// PutChannel moves the network to a channel, in the NIB and in the parameters for
// forming it; channels 0 leaves those that are allowed.
func (m *Image) PutChannel(channel zigbee.Channel, channels uint32, updateID uint8) error {
	nib, err := m.sized(Nib, nibLen)
	if err != nil {
		return err
	}
	nib[nibChannel], nib[nibUpdateID] = byte(channel), updateID
	if channels == 0 {
		return nil
	}
	mask := binary.LittleEndian.AppendUint32(nil, channels)
	copy(nib[nibChannelList:], mask)
	if list := m.items[OSAL(ChanList)]; len(list) == len(mask) {
		copy(list, mask)
	}
	return nil
}

// PutKey writes the network key and its sequence number wherever the stick keeps them
// and has a place of the right length. Counters and padding stay.
func (m *Image) PutKey(key zigbee.Key, seq uint8) {
	info := append([]byte{seq}, key[:]...)
	for _, place := range []struct {
		id     uint16
		length int
		value  []byte
	}{
		{NwkActiveKeyInfo, keyInfoLen, info}, {NwkAlternKeyInfo, keyInfoLen, info},
		{NwkKey, nwkKeyLen, info}, {PrecfgKey, len(key), key[:]},
	} {
		if v := m.items[OSAL(place.id)]; len(v) == place.length && !bytes.HasPrefix(v, place.value) {
			copy(v, place.value)
		}
	}
}
