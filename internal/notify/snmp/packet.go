package snmp

import (
	"time"

	"github.com/gosnmp/gosnmp"
)

// maxPacket bounds a trap in octets, so that it is never sent in fragments: an
// Ethernet frame less headers, with room for a tunnel.
const maxPacket = 1390

// The two objects that begin every SNMPv2 trap. Source: RFC 3416, 4.2.6.
const (
	sysUpTime   = "1.3.6.1.2.1.1.3.0"
	snmpTrapOID = "1.3.6.1.6.3.1.1.4.1.0"
)

// encode returns the packet of a trap that carries values. Texts are cleaned and,
// when the packet were too long, cut, the longest first.
func encode(community string, t trap, oid string, values []gosnmp.SnmpPDU) ([]byte, error) {
	all := append([]gosnmp.SnmpPDU{
		{Name: sysUpTime, Type: gosnmp.TimeTicks, Value: ticks(t.Uptime)},
		{Name: snmpTrapOID, Type: gosnmp.ObjectIdentifier, Value: oid},
	}, values...)
	for i := range all {
		if text, ok := all[i].Value.(string); ok && all[i].Type == gosnmp.OctetString {
			all[i].Value = cut(clean(text), maxText)
		}
	}
	packet, err := marshal(community, t.Number, all)
	if over := len(packet) - maxPacket; err == nil && over > 0 {
		shorten(all, over)
		packet, err = marshal(community, t.Number, all)
	}
	return packet, err
}

func marshal(community string, number uint32, values []gosnmp.SnmpPDU) ([]byte, error) {
	wire := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: community}
	wire.SetRequestID(number)
	return wire.SnmpEncodePacket(gosnmp.SNMPv2Trap, values, 0, 0)
}

// ticks counts hundredths of a second; they start again after 497 days.
func ticks(d time.Duration) uint32 { return uint32(d / (10 * time.Millisecond)) }

// shorten takes at least over octets from the longest texts of values: all are cut
// to the greatest length that does.
func shorten(values []gosnmp.SnmpPDU, over int) {
	for limit := maxText - 1; limit > 0; limit-- {
		gained := 0
		for _, v := range values {
			if text, ok := v.Value.(string); ok && v.Type == gosnmp.OctetString {
				gained += len(text) - len(cut(text, limit))
			}
		}
		if gained < over {
			continue
		}
		for i, v := range values {
			if text, ok := v.Value.(string); ok && v.Type == gosnmp.OctetString {
				values[i].Value = cut(text, limit)
			}
		}
		return
	}
}
