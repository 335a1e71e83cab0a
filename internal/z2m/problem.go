package z2m

import (
	"errors"
	"fmt"
	"strings"
)

// A Problem is one thing that must be put right in a data directory. It never
// holds a key or a password.
type Problem struct {
	File   string
	Line   int    // from 1; 0 when it is not about a line
	Key    string // dotted, "" when it is not about a key
	Why    string
	Remedy string
}

func (p *Problem) Error() string {
	var s strings.Builder
	s.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&s, " line %d", p.Line)
	}
	s.WriteString(": ")
	if p.Key != "" {
		s.WriteString(p.Key + " ")
	}
	s.WriteString(p.Why)
	if p.Remedy != "" {
		s.WriteString("; " + p.Remedy)
	}
	return s.String()
}

// Problems lists every Problem in an error of this package.
func Problems(err error) []*Problem {
	if one, ok := err.(*Problem); ok {
		return []*Problem{one}
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Problem
		for _, e := range many.Unwrap() {
			all = append(all, Problems(e)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		return Problems(inner)
	}
	return nil
}
