package z2msim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A message is one ZCL frame to or from a device's endpoint.
type message struct {
	cluster uint16
	ep      uint8
	lqi     uint8
	zcl     []byte
}

// ZCL as far as a lamp and two sensors need it. A frame is
//
//	frame control | transaction | command | payload
//
// and bit 2 of frame control says that two bytes of maker's code lie in between.
// Source: Zigbee Cluster Library, chapter 2.
const (
	clusterPower       = 0x0001
	clusterOnOff       = 0x0006
	clusterTemperature = 0x0402
	clusterHumidity    = 0x0405

	readAttributes         = 0x00
	readAttributesResponse = 0x01
	reportAttributes       = 0x0A
	defaultResponse        = 0x0B
)

// onOffCommand asks the on/off cluster and wants a default response.
func onOffCommand(tsn byte, state string) ([]byte, error) {
	commands := map[string]byte{"OFF": 0, "ON": 1, "TOGGLE": 2}
	id, ok := commands[state]
	if !ok {
		return nil, fmt.Errorf("state %q is none of ON, OFF, TOGGLE", state)
	}
	return []byte{0x01, tsn, id}, nil
}

func readCommand(tsn byte, attribute uint16) []byte {
	return binary.LittleEndian.AppendUint16([]byte{0x10, tsn, readAttributes}, attribute)
}

// A zclFrame is a received frame, header taken apart.
type zclFrame struct {
	clusterSpecific bool
	tsn             byte
	command         byte
	payload         []byte
}

var errShortZCL = errors.New("a device sent a ZCL frame that ends too early")

func parseZCL(b []byte) (zclFrame, error) {
	if len(b) < 3 {
		return zclFrame{}, errShortZCL
	}
	control := b[0]
	if control&0x04 != 0 {
		if len(b) < 5 {
			return zclFrame{}, errShortZCL
		}
		b = b[2:]
	}
	return zclFrame{clusterSpecific: control&0x03 == 1, tsn: b[1], command: b[2], payload: b[3:]}, nil
}

// status is the last byte of a default response: 0 is success.
func (f zclFrame) status() byte {
	if f.command != defaultResponse || len(f.payload) < 2 {
		return 0
	}
	return f.payload[1]
}

// A property is an attribute as Zigbee2MQTT shows it.
type property struct {
	cluster   uint16
	attribute uint16
	name      string
	access    int // 1 published, 2 can be set, 4 can be read with get
	show      func(int64) any
}

var properties = []property{
	{clusterOnOff, 0x0000, "state", 7, func(v int64) any {
		if v == 0 {
			return "OFF"
		}
		return "ON"
	}},
	{clusterTemperature, 0x0000, "temperature", 1, hundredths},
	{clusterHumidity, 0x0000, "humidity", 1, hundredths},
	{clusterPower, 0x0021, "battery", 1, func(v int64) any { return v / 2 }},
}

func hundredths(v int64) any { return math.Round(float64(v)) / 100 }

// values reads the attributes of a report or of an answer to a read.
func (f zclFrame) values(cluster uint16) map[string]any {
	if f.clusterSpecific || f.command != reportAttributes && f.command != readAttributesResponse {
		return nil
	}
	out := map[string]any{}
	for b := f.payload; len(b) >= 3; {
		attribute := binary.LittleEndian.Uint16(b)
		b = b[2:]
		if f.command == readAttributesResponse {
			status := b[0]
			b = b[1:]
			if status != 0 {
				continue
			}
		}
		value, n := number(b)
		if n == 0 {
			break
		}
		b = b[n:]
		for _, p := range properties {
			if p.cluster == cluster && p.attribute == attribute {
				out[p.name] = p.show(value)
			}
		}
	}
	return out
}

// number reads one typed ZCL value of up to four bytes and how many it took, type
// included; 0 when the type is none that this program knows.
func number(b []byte) (int64, int) {
	sizes := map[byte]int{0x10: 1, 0x18: 1, 0x20: 1, 0x30: 1, 0x28: 1, 0x21: 2, 0x29: 2, 0x31: 2, 0x23: 4, 0x2B: 4}
	if len(b) == 0 {
		return 0, 0
	}
	size := sizes[b[0]]
	if size == 0 || len(b) < 1+size {
		return 0, 0
	}
	var raw [8]byte
	copy(raw[:], b[1:1+size])
	v := int64(binary.LittleEndian.Uint64(raw[:]))
	if b[0] >= 0x28 && b[0] <= 0x2F {
		shift := 64 - 8*size
		v = v << shift >> shift
	}
	return v, 1 + size
}
