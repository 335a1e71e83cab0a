package web

// A Watch is what is known of a network, what is done about it by itself, and why nothing
// else is.
type Watch struct {
	Tells      []Tell   // what is known to be so
	Decision   string   // what is done, or why nothing is, in a sentence
	Reasons    []string // the others
	Refused    string   // why what was decided was not begun; "" when it was
	Not        []Alternative
	Number     string // under which it is kept; "" when it is not
	Rehearsal  string // when the next one is, "" when none is wanted
	Automatics string // what is done by itself at all
}

// A Tell is one thing that is so, with what shows it.
type Tell struct {
	State    LightState
	Node     string
	What     string
	Evidence []string
}

// An Alternative is what was not done, and why.
type Alternative struct{ What, Why string }

// A Question is what only a person can answer.
type Question struct {
	Text   string
	Fix    string
	Action Action // answers it; the zero Action when nothing here does
}

func (w Watch) empty() bool { return w.Decision == "" && len(w.Tells) == 0 }
