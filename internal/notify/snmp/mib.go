package snmp

import (
	"fmt"

	"z2mha/internal/failover/status"
)

// arc is z2mhaMIB: 92642, "z2mha" on the keys of a telephone, under Net-SNMP's
// netSnmpPlaypen, which is meant for experiments.
const arc = "1.3.6.1.4.1.8072.9999.9999.92642"

// An object is something that notifications carry, by its number under z2mhaObjects.
type object int

const (
	network object = iota + 1
	text
	severity
	at
	controller
	number
	node
	from
	to
	cause
	requestedBy
	run
	step
	duration
	remedy
	previousProtection
	protection
)

func (o object) oid() string { return fmt.Sprintf("%s.1.%d.0", arc, int(o)) }

// common begins every notification.
var common = []object{network, text, severity, at, controller, number}

// A kind is a notification for one type of event, by its number under
// z2mhaNotifications, with what it carries after the common objects.
type kind struct {
	event  status.EventType
	number int
	more   []object
}

func (k *kind) oid() string { return fmt.Sprintf("%s.0.%d", arc, k.number) }

// kinds are all notifications. A number is never used again for something else.
var kinds = []kind{
	{status.EventSwitchoverStarted, 1, []object{from, to, cause, requestedBy, run}},
	{status.EventSwitchoverCompleted, 2, []object{from, to, cause, requestedBy, run, duration}},
	{status.EventSwitchoverFailed, 3, []object{from, to, cause, requestedBy, run, duration, remedy}},
	{status.EventNeedsHelp, 4, []object{node, from, to, cause, requestedBy, run, step, remedy}},
	{status.EventSyncCompleted, 5, []object{from, cause, requestedBy, run, duration}},
	{status.EventSyncFailed, 6, []object{from, cause, requestedBy, run, duration, remedy}},
	{status.EventSyncRecovered, 7, []object{from, cause, requestedBy, run, duration}},
	{status.EventNodeStopped, 8, []object{node, requestedBy, run, duration}},
	{status.EventNodeStarted, 9, []object{node, requestedBy, run, duration}},
	{status.EventRunFailed, 10, []object{node, requestedBy, run, duration, remedy}},
	{status.EventRedundancyLost, 11, []object{node, remedy}},
	{status.EventRedundancyRestored, 12, []object{node}},
	{status.EventSplitBrain, 13, []object{remedy}},
	{status.EventHoldSet, 14, []object{requestedBy}},
	{status.EventHoldReleased, 15, []object{requestedBy}},
	{status.EventRefused, 16, []object{to, requestedBy, remedy}},
	{status.EventProtection, 17, []object{previousProtection, protection, node, remedy}},
	{status.EventStepBegun, 18, []object{node, run, step}},
	{status.EventStepDone, 19, []object{node, run, step, duration}},
	{status.EventStepFailed, 20, []object{node, run, step, duration, remedy}},
	{status.EventStepUndone, 21, []object{node, run, step, duration}},
	{status.EventCaptureRefused, 22, []object{node, remedy}},
	{status.EventFailoverStarted, 23, []object{from, to, cause, requestedBy, run}},
	{status.EventFailoverCompleted, 24, []object{from, to, cause, requestedBy, run, duration}},
	{status.EventFailoverFailed, 25, []object{from, to, cause, requestedBy, run, duration, remedy}},
	{status.EventRepaired, 26, []object{node, cause, requestedBy, run, duration}},
	{status.EventRepairFailed, 27, []object{node, cause, requestedBy, run, duration, remedy}},
	{status.EventReturned, 28, []object{node, cause, requestedBy, run, duration}},
	{status.EventNeedsConfirmation, 29, []object{node, to, remedy}},
	{status.EventAcknowledged, 30, []object{requestedBy}},
	{status.EventRehearsalSkipped, 31, []object{cause, requestedBy, to, remedy}},
}

// Named numbers, as in the MIB. What is not listed is 0.
var (
	causes = map[status.Cause]int{
		status.CauseManual: 1, status.CauseAutomatic: 2, status.CauseScheduled: 3, status.CauseRecovery: 4,
	}
	protections = map[status.Protection]int{
		status.Protected: 1, status.Degraded: 2, status.Unprotected: 3, status.Acting: 4, status.Held: 5,
	}
)

// How much an event matters, as in the MIB.
const (
	information = 1
	warning     = 2
	critical    = 3
)

var severities = map[status.EventType]int{
	status.EventSwitchoverFailed:  warning,
	status.EventNeedsHelp:         critical,
	status.EventSyncFailed:        warning,
	status.EventRunFailed:         warning,
	status.EventRedundancyLost:    warning,
	status.EventSplitBrain:        critical,
	status.EventRefused:           warning,
	status.EventStepFailed:        warning,
	status.EventStepUndone:        warning,
	status.EventCaptureRefused:    warning,
	status.EventFailoverStarted:   warning,
	status.EventFailoverFailed:    critical,
	status.EventRepairFailed:      warning,
	status.EventNeedsConfirmation: critical,
	status.EventRehearsalSkipped:  warning,
}
