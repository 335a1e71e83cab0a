package remote

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrOutcomeUnknown is wrapped by every error after which a command may or may not
// have done its work: a timeout proves nothing.
var ErrOutcomeUnknown = errors.New("what the command did is not known")

// ErrNoSFTP says that the host serves no files over SFTP.
var ErrNoSFTP = errors.New("the host has no sftp-server")

// ErrReconnected says that a command was not run, because it was bound to a connection
// that has been replaced since.
var ErrReconnected = errors.New("the connection was made again meanwhile")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("ssh connection was closed by us")

// An UnreachableError is a host that could not be talked to at all.
type UnreachableError struct {
	Host  string
	Cause error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("reach %s: %v", e.Host, e.Cause) }
func (e *UnreachableError) Unwrap() error { return e.Cause }

// A HostKeyChangedError is a host that is not the one it was. It is never talked to.
type HostKeyChangedError struct {
	Host    string
	File    string   // where the old key is pinned
	Pinned  []string // fingerprints, SHA256:…
	Offered string
}

func (e *HostKeyChangedError) Error() string {
	return fmt.Sprintf("%s shows host key %s, but %s was pinned: either the host was reinstalled or somebody "+
		"else answers in its place; if it was reinstalled, trust its new key on the page (Add a host), or delete its line from %s",
		e.Host, e.Offered, strings.Join(e.Pinned, " and "), e.File)
}

// An AuthError is a host that does not know our key.
type AuthError struct {
	Host, User string
	PublicKey  string // line for authorized_keys
}

func (e *AuthError) Error() string {
	return fmt.Sprintf("%s does not let %s in with our key: add this line to ~%s/.ssh/authorized_keys there: %s",
		e.Host, e.User, e.User, e.PublicKey)
}

// A BecomeError is a host on which the user may not become root without a password.
type BecomeError struct {
	Host, User string
	Become     Become
	Said       string // by sudo or doas
}

func (e *BecomeError) Error() string {
	return fmt.Sprintf("%s on %s refused %s (%s): %s", e.Become, e.Host, e.User, e.Said, e.Remedy())
}

// Remedy says which line to put where.
func (e *BecomeError) Remedy() string {
	if e.Become == BecomeDoas {
		return fmt.Sprintf("put the line \"permit nopass %s as root\" into /etc/doas.conf there", e.User)
	}
	return fmt.Sprintf("put the line \"%s ALL=(root) NOPASSWD: ALL\" into /etc/sudoers.d/z2mha there (visudo -f)", e.User)
}

// A DeadlineError is a command that did not end in its time.
type DeadlineError struct {
	Host, Command string
	After         time.Duration
	cause         error
}

func (e *DeadlineError) Error() string {
	return fmt.Sprintf("%s: %q did not end within %s; %v", e.Host, e.Command, e.After, ErrOutcomeUnknown)
}

// Unwrap makes it both ErrOutcomeUnknown and the context's error.
func (e *DeadlineError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.cause} }

// A LostError is a command whose connection ended, or that we gave up, before it
// had reported its end.
type LostError struct {
	Host, Command string
	Cause         error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s: lost %q: %v; %v", e.Host, e.Command, e.Cause, ErrOutcomeUnknown)
}

// Unwrap makes it both ErrOutcomeUnknown and its cause.
func (e *LostError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Cause} }

// An ExitError is a command that ended with a status other than 0.
type ExitError struct {
	Host, Command string
	Exit          int
	Said          string // standard error, shortened
}

func (e *ExitError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s: %q ended with status %d", e.Host, e.Command, e.Exit)
	}
	return fmt.Sprintf("%s: %q ended with status %d: %s", e.Host, e.Command, e.Exit, e.Said)
}
