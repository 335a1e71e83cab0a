package status

// Protection is the one word for how well a network is protected.
type Protection string

const (
	Protected   Protection = "protected"
	Degraded    Protection = "degraded"
	Unprotected Protection = "unprotected"
	Acting      Protection = "acting"
	Held        Protection = "held"
)

// Protections are all of them, as an enum sensor lists them.
var Protections = []Protection{Protected, Degraded, Unprotected, Acting, Held}

var sentences = map[Protection]string{
	Protected:   "Protected: a stand-by is ready to take over.",
	Degraded:    "Partly protected: a stand-by could take over, but something needs your attention.",
	Unprotected: "Not protected: no stand-by could take over now.",
	Acting:      "Busy: a plan is being carried out.",
	Held:        "On hold: the network is watched, and nothing is done until you release it.",
}

// Sentence is the one fixed sentence that the page shows for p.
func (p Protection) Sentence() string { return sentences[p] }
