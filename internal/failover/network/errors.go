package network

// A RefusedError is a request that was understood and will not be done, with what
// a person can do about it. Nothing was changed.
type RefusedError struct {
	What   string // what was asked for
	Why    string
	Remedy string
}

func (e *RefusedError) Error() string {
	s := e.What + ": " + e.Why
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}
