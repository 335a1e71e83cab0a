package sim

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// Parse reads stories as Story.String writes them. Lines that begin with # are comments.
func Parse(r io.Reader) ([]Story, error) {
	var out []Story
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, " "):
			s, err := parseHome(line)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		case len(out) == 0:
			return nil, fmt.Errorf("%q comes before any home", line)
		default:
			d, err := parseDeed(strings.TrimSpace(line))
			if err != nil {
				return nil, err
			}
			s := &out[len(out)-1]
			s.Deeds = append(s.Deeds, d)
		}
	}
	return out, lines.Err()
}

func parseHome(line string) (s Story, err error) {
	var cool string
	words := strings.Replace(homeWords, "cool-down %s,", "cool-down %s", 1)
	if _, err := fmt.Sscanf(line, words, &s.Nodes, &s.Frames, &s.Plugs, &cool, &s.ByHand, &s.Risk); err != nil {
		return s, fmt.Errorf("home %q: %w", line, err)
	}
	s.Cool, err = time.ParseDuration(strings.TrimSuffix(cool, ","))
	return s, err
}

// parseDeed reads such as "2m3s process hangs, active for 1m0s #7".
func parseDeed(line string) (d Deed, err error) {
	at, rest, _ := strings.Cut(line, " ")
	what, who, ok := cutLast(rest, ", ")
	node, n, ok2 := strings.Cut(who, " #")
	if !ok || !ok2 {
		return d, fmt.Errorf("deed %q: want such as %q", line, "2m3s process hangs, active for 1m0s #7")
	}
	node, lasts, limited := strings.Cut(node, " for ")
	d.Kind, d.Node = Kind(what), node
	if d.At, err = time.ParseDuration(at); err == nil && limited {
		d.Lasts, err = time.ParseDuration(lasts)
	}
	if err == nil {
		_, err = fmt.Sscan(n, &d.N)
	}
	if err == nil && !known(d.Kind) {
		err = fmt.Errorf("deed %q: no such kind", line)
	}
	return d, err
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
