package recorded

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A clause is one thing that may be said of a subject. Words in capitals stand for what
// is filled in: AGE and SPAN are durations such as 4s or 3h, N a number, TEXT is quoted,
// NAME any word.
type clause struct {
	pattern string
	do      func(h *home, a args)
}

// args are what was filled in, in order, the name of the subject first.
type args struct {
	name string
	d    []time.Duration
	n    int
	text []string // of TEXT and NAME
}

func (a args) age() time.Duration { return a.d[0] }

var token = regexp.MustCompile(`"[^"]*"|[^\s",]+|,`)

// sentence takes "node attic: runs, looked 4s" apart.
func sentence(line string) (subject, name string, clauses [][]string, err error) {
	head, tail, ok := strings.Cut(line, ":")
	words := strings.Fields(head)
	if !ok || len(words) == 0 || len(words) > 2 {
		return "", "", nil, fmt.Errorf("%q is no sentence such as \"node attic: stopped\"", line)
	}
	if len(words) == 2 {
		name = words[1]
	}
	clauses = [][]string{nil}
	for _, t := range token.FindAllString(tail, -1) {
		if t == "," {
			clauses = append(clauses, nil)
			continue
		}
		clauses[len(clauses)-1] = append(clauses[len(clauses)-1], t)
	}
	return words[0], name, clauses, nil
}

// match fills a pattern with words.
func match(pattern string, words []string) (args, bool) {
	wanted := strings.Fields(pattern)
	if len(wanted) != len(words) {
		return args{}, false
	}
	var a args
	for i, w := range wanted {
		if !a.fill(w, words[i]) {
			return args{}, false
		}
	}
	return a, true
}

func (a *args) fill(wanted, word string) bool {
	switch wanted {
	case "AGE", "SPAN":
		d, err := duration(word)
		a.d = append(a.d, d)
		return err == nil
	case "N":
		n, err := strconv.Atoi(word)
		a.n = n
		return err == nil
	case "TEXT":
		a.text = append(a.text, strings.Trim(word, `"`))
		return strings.HasPrefix(word, `"`)
	case "NAME":
		a.text = append(a.text, word)
		return !strings.HasPrefix(word, `"`)
	}
	return wanted == word
}

// duration also knows days.
func duration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// Patterns are all that may be said, by subject, for the page that describes them.
func Patterns() map[string][]string {
	out := map[string][]string{}
	for subject, clauses := range grammar {
		for _, c := range clauses {
			out[subject] = append(out[subject], c.pattern)
		}
	}
	return out
}
