package web

// A Preview is what would happen, shown before anything does.
type Preview struct {
	Title        string   // "Move the network to cellar?"
	Sentences    []string // what will happen, in plain words
	Reasons      []string // what speaks against it, each in a line of its own
	Interruption string   // "Your home has no Zigbee for about 15 s …"
	Dark         bool     // there is an interruption: the sentence is marked
	Steps        []PlanStep
	Confirm      Confirm
}

// A PlanStep is one step of a plan that has not begun.
type PlanStep struct {
	Title    string   // what happens
	Check    string   // what is read back to believe it
	Dark     bool     // the home has no Zigbee during this step
	Commands []string // exactly what is run where
}

// A Confirm is the form that really asks.
type Confirm struct {
	Network, Verb, To string
	Copy              int    // number of a copy; 0 when it is about none
	OnHold            bool   // it is wanted although the network is on hold
	Label             string // of the button: "Move the network"
	Word              string // what must be typed first; "" when nothing
	Danger            bool
}
