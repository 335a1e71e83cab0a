package web

// words are the fixed texts of the components, in one place, so that another
// language can take theirs. What comes in a model is not here.
var words = struct {
	Product, Skip, Overview, Setup, Main                       string
	Reconnecting, Reload, SignedIn, Version                    string
	State                                                      map[LightState]string
	Network, Looked, NotLooked, Reasons, WhatToDo              string
	Hosts, Host, Service, Dongle, Radio                        string
	Readiness, AllReady, SomeReady, NoChecks, Events, NoEvents string
	Covers, More                                               string
	Asked, Watch, Decided, WhyNot                              string
	Actions, By, JustNow                                       string
	RunLast, RunSteps, Resting, WasResting                     string
	Turning, Rests, Step                                       string
	StepState                                                  map[StepState]string
	RunState                                                   map[RunState]string
	Plan, BelievedWhen, Commands, Close, Cancel                string
	TypeWord, TypeThis, Interruption                           string
	Failed                                                     string
	NothingYet, NothingYetWhy, SetUpFirst, Back                string
	NothingNow, NothingNowWhy                                  string
	Key, KeyWhy, Fingerprint, NoKey, Copy, Copied, CopyNow     string
	Paste, PasteWhy, PasteWhich, PasteDoes                     string
	Mind, TakeBack, TakeBackWhy                                string
	Nodes, AddNode, AddNodeWhy, Look, LookChanges              string
	FieldNetwork, FieldNode, FieldHost, FieldUser              string
	FieldPort, FieldBecome                                     string
	HintNetwork, HintNode, HintHost, HintUser, HintBecome      string
	BecomeSudo, BecomeDoas, BecomeRoot                         string
	Found, Services, DataDirs, Sticks, NoneFound               string
	Findings, GoOn, StartAgain, Review, File, Write, Saved     string
	SetupReadOnly                                              string
	CheckNode, RemoveNode, ChangeNode, FileLess, RemovalReview string
	OldKey, NewKey, Trust                                      string
}{
	Product:      "Zigbee2MQTT High Availability",
	Skip:         "Skip to the content",
	Overview:     "Overview",
	Setup:        "Add a host",
	Main:         "Main",
	Reconnecting: "Reconnecting … What you see may be out of date.",
	Reload:       "Reload",
	SignedIn:     "Signed in as",
	Version:      "Version",
	State: map[LightState]string{
		LightGood:    "Good",
		LightBad:     "Problem",
		LightWarn:    "Worth a look",
		LightUnknown: "Not known",
	},
	Network:    "Network",
	Looked:     "Last look",
	NotLooked:  "Nothing has been looked at yet.",
	Reasons:    "What needs your attention",
	WhatToDo:   "What to do:",
	Hosts:      "Hosts",
	Host:       "Host",
	Service:    "Zigbee2MQTT",
	Dongle:     "Stick",
	Radio:      "Radio",
	Readiness:  "Ready for a switchover?",
	AllReady:   "everything holds (%d)",
	SomeReady:  "%d of %d checks hold",
	Covers:     "Would Zigbee survive it?",
	More:       "What its stick holds",
	Asked:      "You are asked",
	Watch:      "What is known, and what is done",
	Decided:    "Decided",
	WhyNot:     "Why nothing else is done",
	NoChecks:   "Nothing has been checked yet.",
	Events:     "What happened",
	NoEvents:   "Nothing has happened yet.",
	Actions:    "Actions",
	By:         "by",
	JustNow:    "just now",
	RunLast:    "Last plan",
	RunSteps:   "Steps",
	Resting:    "Your home has no Zigbee right now",
	WasResting: "Zigbee rested for",
	Turning:    "Being taken back:",
	Rests:      "Zigbee rests",
	Step:       "Step",
	StepState: map[StepState]string{
		StepWaiting: "Waiting",
		StepRunning: "In progress",
		StepDone:    "Done",
		StepFailed:  "Failed",
		StepUndoing: "Being taken back",
		StepUndone:  "Taken back",
	},
	RunState: map[RunState]string{
		RunGoing:     "In progress",
		RunTurning:   "Being taken back",
		RunCompleted: "Completed",
		RunTakenBack: "Taken back",
		RunNeedsHelp: "Needs your help",
	},
	Plan:          "What will be done",
	BelievedWhen:  "Believed when:",
	Commands:      "Exact commands",
	Close:         "Close",
	Cancel:        "Cancel",
	TypeWord:      "To go on, type the name:",
	TypeThis:      "To go on, type:",
	Interruption:  "What you will notice",
	Failed:        "That did not work",
	NothingNow:    "No network can be watched now.",
	NothingNowWhy: "It goes on by itself once what is said above is put right.",
	NothingYet:    "No network is set up yet.",
	NothingYetWhy: "Two hosts with a stick each are all it takes. The set-up shows you what to paste where, and looks before it changes anything.",
	SetUpFirst:    "Set up the first host",
	Back:          "Back to the overview",
	Key:           "Our public key",
	KeyWhy:        "Every host must know this key, so that this program may log in. It is public: it may be copied and shown.",
	Fingerprint:   "Fingerprint",
	NoKey:         "There is no key yet. It is made when the program starts; see the log if it does not appear.",
	Copy:          "Copy",
	Copied:        "Copied",
	CopyNow:       "Marked: copy it now",
	Paste:         "Prepare the host",
	PasteWhy:      "Paste one line into a root shell on the host.",
	PasteWhich:    "The host where Zigbee2MQTT runs now needs the line \"Zigbee2MQTT runs here now\", which lets it run; the other one needs \"stand-by\", which stops it there. Choose the kind of host:",
	PasteDoes:     "What the line does",
	Mind:          "Mind:",
	TakeBack:      "To take it back",
	TakeBackWhy:   "Paste this line on the host in the same way. It removes the user, its key and its rule.",
	Nodes:         "Set up already",
	AddNode:       "Add a host",
	AddNodeWhy:    "We log in, look around and show you what is there. Nothing is changed.",
	Look:          "Look at this host",
	LookChanges:   "Looking changes nothing.",
	FieldNetwork:  "Network",
	FieldNode:     "Name of the node",
	FieldHost:     "Address",
	FieldUser:     "User",
	FieldPort:     "SSH port",
	FieldBecome:   "How it becomes root",
	HintNetwork:   "A name for the Zigbee network. Both hosts belong to the same one.",
	HintNode:      "A short name that you will recognise, for example attic.",
	HintHost:      "Host name or IP address.",
	HintUser:      "The line of step 2 makes the user z2mha.",
	HintBecome:    "sudo, or doas on Alpine: what the line of step 2 has set up.",
	BecomeSudo:    "sudo",
	BecomeDoas:    "doas",
	BecomeRoot:    "not needed: the user is root",
	Found:         "What was found on",
	Services:      "Service that runs Zigbee2MQTT",
	DataDirs:      "Data directory",
	Sticks:        "Stick",
	NoneFound:     "None was found.",
	Findings:      "Good to know",
	GoOn:          "Go on",
	StartAgain:    "Start again",
	Review:        "Nothing is written yet.",
	File:          "This is added to",
	Write:         "Write it",
	Saved:         "Saved",
	CheckNode:     "Check",
	RemoveNode:    "Remove",
	ChangeNode:    "To change a host, remove it and add it again. A network needs two: to replace one of two hosts, add the new one first.",
	FileLess:      "This is taken out of",
	RemovalReview: "Nothing is removed yet.",
	OldKey:        "Key that was known",
	NewKey:        "Key that is shown now",
	Trust:         "Trust the new key",
	SetupReadOnly: "You can only look here; the notice above says why.",
}
