package status

import "time"

// An Event is something that happened, told once to everybody who listens. It carries
// no secret.
type Event struct {
	At       time.Time     `json:"at"`
	Network  string        `json:"network"`
	Type     EventType     `json:"type"`
	Text     string        `json:"text"` // one sentence for people
	Node     string        `json:"node,omitempty"`
	From     string        `json:"from,omitempty"`
	To       string        `json:"to,omitempty"`
	Cause    Cause         `json:"cause,omitempty"`
	By       string        `json:"by,omitempty"` // who asked
	Run      string        `json:"run,omitempty"`
	Step     string        `json:"step,omitempty"` // title of the step, for EventStep…
	Duration time.Duration `json:"duration,omitempty"`
	Fix      string        `json:"fix,omitempty"` // what to do, for refusals and problems
	Was, Is  Protection    `json:",omitempty"`    // for EventProtection
}

// An EventType is what kind of thing happened.
type EventType string

const (
	EventSwitchoverStarted   EventType = "switchover_started"
	EventSwitchoverCompleted EventType = "switchover_completed"
	EventSwitchoverFailed    EventType = "switchover_failed" // given up or taken back: the old active serves
	EventFailoverStarted     EventType = "failover_started"
	EventFailoverCompleted   EventType = "failover_completed"
	EventFailoverFailed      EventType = "failover_failed"    // nobody serves the home
	EventRepaired            EventType = "repaired"           // the active was repaired where it is
	EventRepairFailed        EventType = "repair_failed"      //
	EventReturned            EventType = "returned"           // a node that was active once is a stand-by
	EventNeedsConfirmation   EventType = "needs_confirmation" // only a person can say what must be known
	EventAcknowledged        EventType = "acknowledged"       // a person has dealt with the last failover
	EventRehearsalSkipped    EventType = "rehearsal_skipped"  //
	EventNeedsHelp           EventType = "needs_help"         // a run is open, a person must look
	EventSyncCompleted       EventType = "sync_completed"
	EventSyncFailed          EventType = "sync_failed"
	EventSyncRecovered       EventType = "sync_recovered"  // the first that worked after one that did not
	EventCaptureRefused      EventType = "capture_refused" // the copies stay as they are until a person accepts it
	EventNodeStopped         EventType = "node_stopped"
	EventNodeStarted         EventType = "node_started"
	EventRunFailed           EventType = "run_failed" // a stop, start, restart or restore that did not work
	EventRedundancyLost      EventType = "redundancy_lost"
	EventRedundancyRestored  EventType = "redundancy_restored"
	EventSplitBrain          EventType = "split_brain" // two nodes run Zigbee2MQTT
	EventHoldSet             EventType = "hold_set"
	EventHoldReleased        EventType = "hold_released"
	EventRefused             EventType = "refused"    // a request that was not carried out
	EventProtection          EventType = "protection" // the protection changed from Was to Is

	// A step of a plan changed its state. These are told to those who listen and not
	// kept: the journal of the run has them.
	EventStepBegun  EventType = "step_begun"
	EventStepDone   EventType = "step_done"
	EventStepFailed EventType = "step_failed"
	EventStepUndone EventType = "step_undone"
)

// EventTypes are all that are kept and shown; those of single steps are left out.
var EventTypes = []EventType{
	EventSwitchoverStarted, EventSwitchoverCompleted, EventSwitchoverFailed, EventNeedsHelp,
	EventSyncCompleted, EventSyncFailed, EventSyncRecovered, EventNodeStopped, EventNodeStarted, EventRunFailed,
	EventRedundancyLost, EventRedundancyRestored, EventSplitBrain, EventHoldSet, EventHoldReleased, EventRefused, EventProtection,
	EventCaptureRefused,
	EventFailoverStarted, EventFailoverCompleted, EventFailoverFailed, EventRepaired, EventRepairFailed, EventReturned,
	EventNeedsConfirmation, EventAcknowledged, EventRehearsalSkipped,
}

// A Cause is why a move was begun, in the words of Home Assistant's sensor.
type Cause string

const (
	CauseNone      Cause = "none" // there was no move yet
	CauseManual    Cause = "manual"
	CauseAutomatic Cause = "automatic"
	CauseScheduled Cause = "scheduled"
	CauseRecovery  Cause = "recovery"
)

// Causes are all of them.
var Causes = []Cause{CauseNone, CauseManual, CauseAutomatic, CauseScheduled, CauseRecovery}
