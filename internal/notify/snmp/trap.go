package snmp

import (
	"math"
	"time"

	"github.com/gosnmp/gosnmp"

	"z2mha/internal/failover/status"
)

// A trap is an event on its way to one receiver.
type trap struct {
	status.Event
	Host   string
	Uptime time.Duration // of the Sender, when the event was told
	Number uint32        // counts what was told for this receiver
}

// kind returns the notification for t, nil when the MIB has none.
func (t trap) kind() *kind {
	for i := range kinds {
		if kinds[i].event == t.Type {
			return &kinds[i]
		}
	}
	return nil
}

func (t trap) severity() int {
	if t.Type == status.EventProtection {
		switch t.Is {
		case status.Unprotected:
			return critical
		case status.Degraded:
			return warning
		}
	}
	if s, ok := severities[t.Type]; ok {
		return s
	}
	return information
}

// values are all objects of the notification, in the order of the MIB.
func (t trap) values() []gosnmp.SnmpPDU {
	var list []gosnmp.SnmpPDU
	for _, objects := range [][]object{common, t.kind().more} {
		for _, o := range objects {
			list = append(list, t.value(o))
		}
	}
	return list
}

func (t trap) value(o object) gosnmp.SnmpPDU {
	v := gosnmp.SnmpPDU{Name: o.oid()}
	switch o {
	case severity:
		v.Type, v.Value = gosnmp.Integer, t.severity()
	case cause:
		v.Type, v.Value = gosnmp.Integer, causes[t.Cause]
	case previousProtection:
		v.Type, v.Value = gosnmp.Integer, protections[t.Was]
	case protection:
		v.Type, v.Value = gosnmp.Integer, protections[t.Is]
	case number:
		v.Type, v.Value = gosnmp.Gauge32, t.Number
	case duration:
		v.Type, v.Value = gosnmp.Gauge32, milliseconds(t.Duration)
	default:
		v.Type, v.Value = gosnmp.OctetString, t.text(o)
	}
	return v
}

func (t trap) text(o object) string {
	switch o {
	case network:
		return t.Network
	case text:
		return t.Text
	case at:
		return t.At.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	case controller:
		return t.Host
	case node:
		return t.Node
	case from:
		return t.From
	case to:
		return t.To
	case requestedBy:
		return t.By
	case run:
		return t.Run
	case step:
		return t.Step
	case remedy:
		return t.Fix
	}
	panic("not a text") // a programmer's mistake: the table of objects is closed
}

func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(0, d.Milliseconds()), math.MaxUint32))
}
