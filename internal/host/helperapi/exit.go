package helperapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// An Exit is the helper's exit status: what kind of failure it was.
type Exit int

const (
	ExitOK          Exit = 0
	ExitInternal    Exit = 1  // a defect, or something nobody foresaw
	ExitUsage       Exit = 2  // the command line is wrong
	ExitBusy        Exit = 3  // another program holds the port or the data directory
	ExitNotZNP      Exit = 4  // what answers, or does not, is no ZNP stick
	ExitNotHold     Exit = 5  // the stick is on air; park it first
	ExitMisfit      Exit = 6  // the image is damaged or does not fit the stick
	ExitDiffers     Exit = 7  // verify and patch: the stick holds something else
	ExitIO          Exit = 8  // port, network or file error
	ExitNoSpace     Exit = 9  // disk full
	ExitInterrupted Exit = 10 // stopped at an item boundary; the same run id goes on
	ExitRefused     Exit = 11 // the world is not as the caller said; nothing was changed
)

var exitWords = map[Exit][2]string{
	ExitOK:          {"ok", "done"},
	ExitInternal:    {"internal", "unforeseen failure"},
	ExitUsage:       {"usage", "the command line is wrong"},
	ExitBusy:        {"busy", "another program holds the port or the data directory"},
	ExitNotZNP:      {"not-znp", "no ZNP stick answers at the port"},
	ExitNotHold:     {"not-hold", "the stick is on air; park it first"},
	ExitMisfit:      {"misfit", "the image is damaged or does not fit the stick"},
	ExitDiffers:     {"differs", "verify, patch: the stick holds something else"},
	ExitIO:          {"io", "port, network or file error"},
	ExitNoSpace:     {"no-space", "the disk is full"},
	ExitInterrupted: {"interrupted", "stopped on request; the same --run goes on"},
	ExitRefused:     {"refused", "something is not as it was said to be; nothing was changed"},
}

// Exits returns all codes in ascending order.
func Exits() []Exit {
	var all []Exit
	for e := ExitOK; e <= ExitRefused; e++ {
		all = append(all, e)
	}
	return all
}

// String is the code's one-word name, as in the "error" field on stderr.
func (e Exit) String() string {
	if w, ok := exitWords[e]; ok {
		return w[0]
	}
	return fmt.Sprintf("exit-%d", int(e))
}

// Meaning is one phrase for people.
func (e Exit) Meaning() string { return exitWords[e][1] }

// MarshalText writes the name.
func (e Exit) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the name; an unknown one counts as ExitInternal.
func (e *Exit) UnmarshalText(text []byte) error {
	*e = ExitInternal
	for code, words := range exitWords {
		if words[0] == string(text) {
			*e = code
		}
	}
	return nil
}

// An Error is why a verb failed; the last line of stderr holds it as JSON.
// It carries no secrets.
type Error struct {
	Exit    Exit   `json:"error"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an *Error with that exit code.
func Errorf(exit Exit, format string, args ...any) *Error {
	return &Error{Exit: exit, Message: fmt.Sprintf(format, args...)}
}

// ParseError makes an error of a failed helper's stderr and exit status. The last
// Error line counts; without one the text itself is the message. Status 126, 127
// and 255 are a shell's and ssh's own, so they keep ExitInternal.
func ParseError(stderr []byte, status int) *Error {
	var found *Error
	for line := range bytes.Lines(stderr) {
		var e Error
		if json.Unmarshal(line, &e) == nil && e.Message != "" {
			found = &e
		}
	}
	if found != nil {
		return found
	}
	text := strings.TrimSpace(string(stderr))
	if text == "" {
		text = fmt.Sprintf("znp-helper ended with status %d and said nothing", status)
	}
	exit := Exit(status)
	if _, known := exitWords[exit]; !known || exit == ExitOK {
		exit = ExitInternal
	}
	return &Error{Exit: exit, Message: text}
}
