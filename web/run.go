package web

import "time"

// A Run is a plan with how far it is, or how it ended.
type Run struct {
	ID        string
	Title     string   // "Moving the network from attic to cellar"
	State     RunState // how it goes, or went
	Result    string   // one sentence about the end; "" while it runs
	By        string   // who asked for it
	Began     time.Time
	Ended     time.Time // zero while it runs
	Took      string    // from begin to end, "41 s"; "" while it runs
	Turning   string    // why it is being taken back; "" while it goes forward
	DarkSince time.Time // since when the home has no Zigbee; zero when it has
	Outage    string    // how long it had none, "14 s"; "" when it is dark or never was
	Progress  Progress  // within the step that is under way
	Steps     []RunStep
}

// A RunState is how a run goes or went.
type RunState string

const (
	RunGoing     RunState = "going"
	RunTurning   RunState = "turning" // being taken back
	RunCompleted RunState = "completed"
	RunTakenBack RunState = "taken-back" // everything is as it was before
	RunNeedsHelp RunState = "needs-help" // a person must look
)

// A Progress says how far a long step is. Total is 0 when that is not known.
type Progress struct {
	What        string // "copying database.db"
	Done, Total int
}

// A RunStep is one step of a Run.
type RunStep struct {
	Title string
	Node  string // shown before Title when Title does not name it; may be ""
	State StepState
	Dark  bool     // the home has no Zigbee during this step
	Saw   []string // evidence
	Note  string   // why it failed
	Began time.Time
	Took  string // "1.2 s"; "" while it runs or waits
}

// A StepState is where a step is.
type StepState string

const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepUndoing StepState = "undoing"
	StepUndone  StepState = "undone"
)
