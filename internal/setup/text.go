package setup

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"z2mha/internal/host/remote"
)

// longest is how much of what a host says is shown.
const longest = 200

// clean makes one short line of what a host says.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unprintable(r):
			return -1
		}
		return r
	}, cut(s, 4*longest))
	return cut(strings.TrimSpace(s), longest)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// cut shortens s to at most n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

// unreachableText says in one sentence why a host does not answer, and what to do.
func unreachableText(e *remote.UnreachableError) string {
	var dns *net.DNSError
	switch {
	case errors.As(e, &dns) && !dns.IsTimeout:
		return "no such host; see whether the name is right, or use the IP address"
	case errors.Is(e, syscall.ECONNREFUSED):
		return "nothing listens on this port; see whether sshd runs there and the port is right"
	case errors.Is(e, syscall.EHOSTUNREACH) || errors.Is(e, syscall.ENETUNREACH):
		return "there is no way to this address; see whether the host is on and in this network"
	}
	return "the host does not answer as an SSH server does (" + clean(e.Cause.Error()) + "); see whether it is on, and the address and the port are right"
}
