package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// A Problem is one thing wrong with the file.
type Problem struct {
	Line   int    // 0 when it is about the file as a whole
	Key    string // as in networks[home].nodes[attic].data
	Value  string // "" when there is none, or when it may be secret
	What   string
	Remedy string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	b.WriteString(p.Key)
	if p.Value != "" {
		fmt.Fprintf(&b, " is %q", shorten(p.Value))
	}
	if p.Key != "" {
		b.WriteString(": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

func shorten(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

// Problems is everything wrong with one file, by line.
type Problems struct {
	Path string
	List []Problem
}

func (p *Problems) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Path, counted(len(p.List), "problem"))
	for _, one := range p.List {
		b.WriteString("\n  " + one.String())
	}
	return b.String()
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A ReadError says why a configuration file cannot be read. It is as much a mistake of
// whoever gave the command as a *Problems is.
type ReadError struct {
	Path string // absolute
	Err  error  // of the operating system
}

func (e *ReadError) Error() string {
	text := "read configuration: " + e.Path + ": " + cause(e.Err)
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		return text + "; write one after docs/z2mha.example.yaml, or name another file"
	case errors.Is(e.Err, syscall.EISDIR):
		return text + "; name the file in it"
	case errors.Is(e.Err, fs.ErrPermission):
		return text + "; make it readable for the user that z2mha runs as"
	}
	return text
}

// Unwrap gives the operating system's error.
func (e *ReadError) Unwrap() error { return e.Err }

// cause is an error without the operation and the path that the message has already.
func cause(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
