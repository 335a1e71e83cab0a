package port

import (
	"errors"
	"fmt"
	"strings"
)

// ErrIncomplete is wrapped when not all processes could be looked into.
var ErrIncomplete = errors.New("some processes could not be looked into, which takes root's rights")

// A Holder is a process that has a port open.
type Holder struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`          // program and first argument, such as "node index.js"
	Locked  bool   `json:"locked,omitempty"` // it holds a flock on the device
}

func (h Holder) String() string {
	if h.Locked {
		return fmt.Sprintf("%s (pid %d, which locked it)", h.Command, h.PID)
	}
	return fmt.Sprintf("%s (pid %d)", h.Command, h.PID)
}

// A BusyError says that a port is in use, and by whom as far as that can be seen.
type BusyError struct {
	Path    string
	Holders []Holder // empty when they cannot be seen
}

func (e *BusyError) Error() string {
	if len(e.Holders) == 0 {
		return fmt.Sprintf("%s is in use, by this program or by a process this user cannot see; "+
			"\"sudo fuser -v %s\" names it", e.Path, e.Path)
	}
	names := make([]string, len(e.Holders))
	for i, h := range e.Holders {
		names[i] = h.String()
	}
	return fmt.Sprintf("%s is in use by %s; stop it first", e.Path, strings.Join(names, ", "))
}
