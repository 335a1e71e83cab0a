package web

// Adding a node is three forms after one another: a host is named (Setup), what is
// on it is shown (SetupFound), and what will be written is confirmed (SetupReview).
// Nothing is changed before the last one. They are posted to "setup/look",
// "setup/review" and "setup/save"; the answer replaces the element with the id
// "setup-step".
//
// What can be done about nodes that are there takes place in the element with the id
// "node-step": "setup/check" says whether a host lets us in, "setup/removal" shows what
// would be removed (SetupRemoval) and "setup/remove" does it. A host with another key
// than before (SetupTrust) is trusted by "setup/trust", in whichever of the two places it
// was found.

// A Setup is the page of first use, and of adding another node.
type Setup struct {
	Notices     []Notice
	CanAct      bool   // whether the form is drawn
	Key         string // our public key as one line of authorized_keys; "" when there is none yet
	Fingerprint string // "SHA256:…"
	Hosts       []SetupHost
	Nodes       []SetupNode // what is configured already
	Form        SetupForm
}

// A SetupNode is a node that is there, or waits for a second one.
type SetupNode struct {
	Network, Node string
	Text          string // where it is
	Check         bool   // whether its host can be asked
	Note          string // what the host said just now; "" when it was not asked
	NoteState     LightState
}

// A SetupHost is what is to be pasted on one kind of host.
type SetupHost struct {
	Kind string   // "Debian, Raspberry Pi OS (systemd)"
	Line string   // to be pasted into a root shell there
	Does []string // what it does, in plain words
	Mind string   // what it means, a sentence; "" when there is nothing to say
	Undo string   // the line that takes it back; "" when there is none
}

// A SetupForm is the form for a node. Errors are shown in place.
type SetupForm struct {
	Network, Node, Host, User, Port Field
	Become                          Field // a choice
}

// A Field is one input of a form.
type Field struct {
	Value string
	Error string // what is wrong with Value; "" when nothing
}

// A SetupFound is what was found on a host. Services, DataDirs and Sticks are to be
// chosen from; a list with one entry that is chosen needs no thought.
type SetupFound struct {
	Node     string
	Address  string
	Facts    []Fact // system, versions, key of the host …
	Services []Choice
	DataDirs []Choice
	Sticks   []Choice
	Checks   []Check // what stands in the way or is good to know
	Hidden   []Hidden
	Blocked  string // why it cannot go on; "" when it can
}

// A Choice is one of several.
type Choice struct {
	Value    string
	Label    string
	Note     string // "not a supported stick: this is an EFR32 …"
	State    LightState
	Chosen   bool
	Disabled bool
}

// A Hidden is what a form carries on to the next step.
type Hidden struct{ Name, Value string }

// A SetupReview shows what will be written before it is.
type SetupReview struct {
	Title     string
	Sentences []string
	File      string // where it is written
	YAML      string // the part that is added
	Hidden    []Hidden
}

// A SetupSaved says that it is written.
type SetupSaved struct {
	What    string   // a sentence
	Next    []string // what to do now
	AtNodes bool     // it takes the place of "node-step"
}

// A SetupRemoval shows what will be taken out before it is.
type SetupRemoval struct {
	Title     string
	Sentences []string
	File      string // where it is taken out
	YAML      string // the part that goes
	Label     string // of the button
	Hidden    []Hidden
}

// A SetupTrust shows that a host has another key than before, and asks.
type SetupTrust struct {
	Title     string
	Sentences []string // what it means
	Old       []string // fingerprints that were known
	New       string   // the one that is shown now
	Word      string   // to be typed
	Hidden    []Hidden
	AtNodes   bool // it takes the place of "node-step"
}
