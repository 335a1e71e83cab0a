package remote

import (
	"bytes"
	"fmt"
	"strings"
)

// Become is how a command becomes root on a host.
type Become string

const (
	BecomeNone Become = "none" // the user's own rights are enough
	BecomeSudo Become = "sudo" // sudo -n
	BecomeDoas Become = "doas" // doas -n
)

// ParseBecome reads a configured value; "" is none.
func ParseBecome(s string) (Become, error) {
	switch b := Become(s); b {
	case "":
		return BecomeNone, nil
	case BecomeNone, BecomeSudo, BecomeDoas:
		return b, nil
	}
	return "", fmt.Errorf("become: %q is unknown; use none, sudo or doas", s)
}

// prefix is what goes before a command line that is to run as root.
func (b Become) prefix() string {
	switch b {
	case BecomeSudo:
		return "sudo -n -- "
	case BecomeDoas:
		return "doas -n -- "
	}
	return ""
}

// refused returns what sudo or doas said when they did not run the command, or "".
// Both exit with 1 and write lines of their own; a warning that precedes a command
// that did run, such as an unknown host name, is no refusal.
func (b Become) refused(out Output) string {
	if b != BecomeSudo && b != BecomeDoas || out.Exit != 1 && out.Exit != 127 || len(out.Stdout) > 0 {
		return ""
	}
	for line := range bytes.Lines(out.Stderr) {
		text := strings.TrimSpace(string(line))
		if b.isRefusal(text) {
			return text
		}
	}
	return ""
}

func (b Become) isRefusal(line string) bool {
	if strings.Contains(line, "unable to resolve host") {
		return false
	}
	return strings.HasPrefix(line, string(b)+": ") ||
		strings.Contains(line, ": "+string(b)+": not found") ||
		strings.Contains(line, ": "+string(b)+": command not found") ||
		strings.Contains(line, "is not in the sudoers file") ||
		strings.Contains(line, "is not allowed to execute") ||
		strings.Contains(line, "may not run sudo")
}

// Quote returns one shell word that stands for s exactly, in any POSIX shell.
func Quote(s string) string {
	if s != "" && strings.Trim(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// safe are the characters that mean themselves to every shell. "=" and "~" are not
// among them: at the start of a word they do not.
const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-"

// QuoteAll joins the quoted words with blanks.
func QuoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
