package snmp

import (
	"github.com/gosnmp/gosnmp"

	"z2mha/internal/failover/status"
)

// The prototype's trap: four texts under a number of Net-SNMP's.
const (
	prototypeTrap = "1.3.6.1.4.1.8072.2.1.1"
	scriptName    = prototypeTrap + ".1.0"
	scriptHost    = prototypeTrap + ".2.0"
	scriptMessage = prototypeTrap + ".3.0"
	scriptStatus  = prototypeTrap + ".4.0"
)

// prototype says whether the prototype's scripts told of such a thing: how a
// switchover or a synchronisation went, and what is broken. Steps, holds, refusals
// and the mere change of the protection are news of ours.
func (t trap) prototype() bool {
	switch t.Type {
	case status.EventSwitchoverStarted, status.EventSwitchoverCompleted, status.EventSwitchoverFailed,
		status.EventNeedsHelp, status.EventRunFailed,
		status.EventFailoverStarted, status.EventFailoverCompleted, status.EventFailoverFailed, status.EventRepaired, status.EventRepairFailed,
		status.EventNeedsConfirmation,
		status.EventSyncCompleted, status.EventSyncFailed, status.EventSyncRecovered, status.EventCaptureRefused,
		status.EventRedundancyLost, status.EventRedundancyRestored, status.EventSplitBrain:
		return true
	}
	return false
}

func (t trap) prototypeValues() []gosnmp.SnmpPDU {
	outcome := "OK"
	if t.severity() != information {
		outcome = "ERR"
	}
	return []gosnmp.SnmpPDU{
		{Name: scriptName, Type: gosnmp.OctetString, Value: "z2mha"},
		{Name: scriptHost, Type: gosnmp.OctetString, Value: t.Host},
		{Name: scriptMessage, Type: gosnmp.OctetString, Value: t.Text},
		{Name: scriptStatus, Type: gosnmp.OctetString, Value: outcome},
	}
}
