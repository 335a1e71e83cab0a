package ingresstest

import (
	"net/url"
	"regexp"
	"slices"
)

// attacks are what Supervisor refuses in a path or a query.
// Source: home-assistant/supervisor, api/middleware/security.py.
var attacks = []*regexp.Regexp{
	regexp.MustCompile(`(?i)proc/self/environ`),
	regexp.MustCompile(`(?i)<.*script.*>`),
	regexp.MustCompile(`\.\.//?`),
	regexp.MustCompile(`(?i)[a-z0-9_]=/([a-z0-9_.]//?)+`),
	regexp.MustCompile(`(?i)union.*select.*\(`),
	regexp.MustCompile(`(?i)union.*all.*select`),
	regexp.MustCompile(`(?i)concat.*\(`),
}

func suspicious(u *url.URL) bool {
	for _, text := range []string{unquoted(u.EscapedPath()), unquoted(u.RawQuery)} {
		if slices.ContainsFunc(attacks, func(a *regexp.Regexp) bool { return a.MatchString(text) }) {
			return true
		}
	}
	return false
}
