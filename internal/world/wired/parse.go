package wired

import (
	"bufio"
	"fmt"
	"io"
	"slices"
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
			var s Story
			if _, err := fmt.Sscanf(strings.Replace(line, ",", " ,", -1), strings.Replace(homeWords, ",", " ,", -1), &s.Nodes, &s.Plugs, &s.Restarts); err != nil {
				return nil, fmt.Errorf("home %q: %w", line, err)
			}
			out = append(out, s)
		case len(out) == 0:
			return nil, fmt.Errorf("%q comes before any home", line)
		default:
			d, err := parseDeed(strings.TrimSpace(line))
			if err != nil {
				return nil, fmt.Errorf("deed %q: %w", line, err)
			}
			s := &out[len(out)-1]
			s.Deeds = append(s.Deeds, d)
		}
	}
	return out, lines.Err()
}

// parseDeed reads such as "2m3s process hangs, active for 1m0s #7".
func parseDeed(line string) (d Deed, err error) {
	at, rest, _ := strings.Cut(line, " ")
	comma := strings.LastIndex(rest, ", ")
	if comma < 0 {
		return d, fmt.Errorf("want such as %q", "2m3s process hangs, active for 1m0s #7")
	}
	node, n, _ := strings.Cut(rest[comma+2:], " #")
	node, lasts, limited := strings.Cut(node, " for ")
	d.Kind, d.Node = Kind(rest[:comma]), node
	if d.At, err = time.ParseDuration(at); err == nil && limited {
		d.Lasts, err = time.ParseDuration(lasts)
	}
	if err == nil {
		_, err = fmt.Sscan(n, &d.N)
	}
	if err == nil && !slices.Contains(Kinds(), d.Kind) {
		err = fmt.Errorf("no kind %q", d.Kind)
	}
	return d, err
}
