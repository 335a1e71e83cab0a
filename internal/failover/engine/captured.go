package engine

// A CaptureRequest asks for the running network to be captured and brought to the
// stand-bys.
type CaptureRequest struct {
	Network string
	Reason  string
	// Live asks for a backup of the running stick first.
	Live bool
	// AcceptChange takes a capture that would be refused.
	AcceptChange bool
}

// Captured is what a capture gave.
type Captured struct {
	Ended                        // of the run that brought it to the stand-bys; Run is "" when nothing had to be brought
	Generation  int              // accepted, 0 when none was
	New         bool             // its content is not that of the last one
	Refused     int              // number of a capture that was refused, 0 when none was
	Why         []string         // why it was refused
	Unreachable map[string]error // stand-bys to which nothing could be brought
}
