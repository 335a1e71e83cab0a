package network

// A RefusedError is a request that was understood and will not be done, with what
// a person can do about it. Nothing was changed.
type RefusedError struct {
	What   string `json:"what"` // what was asked for
	Why    string `json:"why"`
	Remedy string `json:"remedy,omitempty"`
}

func (e *RefusedError) Error() string {
	s := e.What + ": " + e.Why
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}
