package nvimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// NIB offsets, aligned layout.
const (
	nibLen             = 116
	nibDevAddress      = 22
	nibChannel         = 24
	nibPanID           = 36
	nibExtPanID        = 57
	nibKeyLoaded       = 65
	nibUpdateID        = 114
	keyInfoLen         = 17 // sequence number, key
	ieeeLen            = 8
	configured    byte = 0x55
)

// Identity reads who the stick is: address, network and key. Its error names the
// item that is missing or of the wrong length.
func (m *Image) Identity() (zigbee.Identity, error) {
	addr, err := m.sized(ExtAddr, ieeeLen)
	if err != nil {
		return zigbee.Identity{}, err
	}
	nib, err := m.sized(Nib, nibLen)
	if err != nil {
		return zigbee.Identity{}, err
	}
	key, err := m.sized(NwkActiveKeyInfo, keyInfoLen)
	if err != nil {
		return zigbee.Identity{}, err
	}
	return zigbee.Identity{
		PanID:    zigbee.PanID(binary.LittleEndian.Uint16(nib[nibPanID:])),
		ExtPanID: zigbee.ExtPanIDFromLE(nib[nibExtPanID:]),
		Channel:  zigbee.Channel(nib[nibChannel]),
		IEEE:     zigbee.IEEEFromLE(addr),
		Key:      zigbee.Key(key[1:]),
		KeySeq:   key[0],
		UpdateID: nib[nibUpdateID],
	}, nil
}

// sized returns an OSAL item of a known length. The bytes are the image's own.
func (m *Image) sized(id uint16, length int) ([]byte, error) {
	v, ok := m.items[OSAL(id)]
	if !ok {
		return nil, fmt.Errorf("%v is missing: the stick holds no network, or the image is incomplete", OSAL(id))
	}
	if len(v) != length {
		return nil, fmt.Errorf("%v has %d bytes, want %d", OSAL(id), len(v), length)
	}
	return v, nil
}

// Configured says that Zigbee2MQTT takes the stick for commissioned: its flag is
// set and a NIB is there.
func (m *Image) Configured() bool {
	flag, _ := m.byteAt(OSAL(HasConfiguredZStack3), 0)
	_, nib := m.items[OSAL(Nib)]
	return flag == configured && nib
}

// OnNetwork says that the stick resumes its stored network at the next start. One
// that is not on a network forms a new one instead.
func (m *Image) OnNetwork() bool {
	v, _ := m.byteAt(OSAL(BdbNodeIsOnANetwork), 0)
	return v == 1
}

// Resumable returns nil when a stick with this content resumes its network: nothing
// is formed anew and no device has to join again. The error lists every reason
// against. STARTUP_OPTION is not looked at; Successor clears it.
func (m *Image) Resumable() error {
	var problems []string
	fail := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if _, err := m.Identity(); err != nil {
		fail("%v", err)
	}
	if !m.Configured() {
		fail("%v is not set: Zigbee2MQTT would not take the stick for commissioned", OSAL(HasConfiguredZStack3))
	}
	if !m.OnNetwork() {
		fail("%v is not 1: the stick would form a new network", OSAL(BdbNodeIsOnANetwork))
	}
	if v, ok := m.byteAt(OSAL(LogicalType), 0); ok && v != 0 {
		fail("%v is %d: the stick is no coordinator", OSAL(LogicalType), v)
	}
	if v, ok := m.byteAt(OSAL(Nib), nibKeyLoaded); ok && v != 1 {
		fail("%v: no network key is loaded", OSAL(Nib))
	}
	if v := m.items[OSAL(Nib)]; len(v) == nibLen && binary.LittleEndian.Uint16(v[nibDevAddress:]) != 0 {
		fail("%v: the own address is not that of a coordinator", OSAL(Nib))
	}
	if _, err := m.sized(NwkKey, nwkKeyLen); err != nil {
		fail("%v", err)
	}
	if !bytes.Equal(m.items[OSAL(NwkActiveKeyInfo)], m.items[OSAL(NwkAlternKeyInfo)]) {
		fail("%v and %v differ: the network key was being changed", OSAL(NwkActiveKeyInfo), OSAL(NwkAlternKeyInfo))
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}
