//go:build brokenrules

// Package broken breaks safety rules, for the test that sees whether that is found.
package broken

// See sound.go.
var (
	StartsUnfenced   bool
	TrustsOthers     bool
	LeavesCounters   bool
	LowersOnUndo     bool
	KeepsNothing     bool
	ActsFirst        bool
	IgnoresHold      bool
	IgnoresBroker    bool
	IgnoresOpenRun   bool
	BelievesStop     bool
	TakesShrunken    bool
	CapturesStandby  bool
	StartsHalfLoaded bool
	GivesBootTwice   bool
	IgnoresVeto      bool
	FencesByFaith    bool
	IgnoresCoolDown  bool
	StartsStopped    bool
	TellsKey         bool
)

// Rules are all of them by name.
var Rules = map[string]*bool{
	"StartsUnfenced":   &StartsUnfenced,
	"TrustsOthers":     &TrustsOthers,
	"LeavesCounters":   &LeavesCounters,
	"LowersOnUndo":     &LowersOnUndo,
	"KeepsNothing":     &KeepsNothing,
	"ActsFirst":        &ActsFirst,
	"IgnoresHold":      &IgnoresHold,
	"IgnoresBroker":    &IgnoresBroker,
	"IgnoresOpenRun":   &IgnoresOpenRun,
	"BelievesStop":     &BelievesStop,
	"TakesShrunken":    &TakesShrunken,
	"CapturesStandby":  &CapturesStandby,
	"StartsHalfLoaded": &StartsHalfLoaded,
	"GivesBootTwice":   &GivesBootTwice,
	"IgnoresVeto":      &IgnoresVeto,
	"FencesByFaith":    &FencesByFaith,
	"IgnoresCoolDown":  &IgnoresCoolDown,
	"StartsStopped":    &StartsStopped,
	"TellsKey":         &TellsKey,
}
