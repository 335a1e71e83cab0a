//go:build !brokenrules

// Package broken names safety rules that a test can break, to show that the simulation
// finds it. In every build but that test's they are constants that say no, so that the
// compiler leaves nothing of them: see the build tag brokenrules.
package broken

// Each says that a rule is broken: it reads as what is done wrong.
const (
	StartsUnfenced   = false // starts a node and does not prove that the old one is silent
	TrustsOthers     = false // starts a node and does not prove that further stand-bys are silent
	LeavesCounters   = false // counters are not raised above what may have been used
	LowersOnUndo     = false // the old stick goes back on air with the counters it had
	KeepsNothing     = false // what a stick holds is not kept before it is written over
	ActsFirst        = false // a step is journaled when it is done
	IgnoresHold      = false // acts on hold
	IgnoresBroker    = false // fails over while the broker is down
	IgnoresOpenRun   = false // begins a run while another one is open
	BelievesStop     = false // a stop is believed without a look
	TakesShrunken    = false // a capture that lost devices is accepted
	CapturesStandby  = false // captures the target instead of the active
	StartsHalfLoaded = false // a write to a stick that failed is taken for done
	GivesBootTwice   = false // a second node is to start at boot
	IgnoresVeto      = false // starts a node although the network was heard on air
	FencesByFaith    = false // a rung of the ladder that gave no proof is taken for one that did
	IgnoresCoolDown  = false // fails over again and again
	StartsStopped    = false // starts what a person has stopped
	TellsKey         = false // the network key is in the evidence
)
