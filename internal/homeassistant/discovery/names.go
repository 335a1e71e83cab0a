package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"z2mha/internal/failover/status"
)

// Names come from a configuration file that allows a-z, 0-9, _ and -. What is shown
// and published here stays valid for any other name too, and two names never become
// one.
var (
	plainID    = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	plainLevel = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	notSlug    = regexp.MustCompile(`[^a-z0-9]+`)
)

// reservedLabels mean something else as a state in Home Assistant, reservedLevel
// means something else in a topic.
var (
	reservedLabels = []string{"none", "unknown", "unavailable"}
	reservedLevel  = "cmd"
)

const (
	maxLabel = 64  // a state may have 255 characters, a device name is read by people
	maxText  = 300 // of one reason or event
)

// networkID identifies the device of a network, nodeID that of a node. The names in
// them hold no underscore, so that network a with node b_c and network a_b with node
// c stay apart.
func networkID(network string) string { return "z2mha_" + id(network) }

func nodeID(network, node string) string { return networkID(network) + "_" + id(node) }

func id(name string) string {
	if plainID.MatchString(name) {
		return name
	}
	return strings.ReplaceAll(slug(name), "_", "-") + "-" + mark(name)
}

// level is a name as one level of a topic.
func level(name string) string {
	if plainLevel.MatchString(name) && name != reservedLevel {
		return name
	}
	if s := id(name); s != name {
		return s
	}
	return name + "-" + mark(name)
}

// slug is the part of an entity id that stems from a name. It need not be unique:
// Home Assistant numbers what is taken.
func slug(name string) string {
	s := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(name), "_"), "_")
	if len(s) > 40 {
		s = strings.Trim(s[:40], "_")
	}
	return orElse(s, "x")
}

// mark tells names apart that look the same once they are cleaned.
func mark(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

// Label is a name as people see it, in lists of options and as a state: one line of
// printable characters. A name that had to be changed for that ends in a mark.
func Label(name string) string {
	s := line(name, maxLabel)
	if s == name && !slices.ContainsFunc(reservedLabels, func(r string) bool { return strings.EqualFold(r, s) }) {
		return s
	}
	return strings.TrimSpace(line(name, maxLabel-9) + " " + mark(name))
}

func labels(nodes []status.Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, Label(n.Name))
	}
	return out
}

// line makes one line of printable characters from text, at most limit long.
func line(text string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(clean), " "))
	if len(runes) > limit {
		return strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return string(runes)
}
