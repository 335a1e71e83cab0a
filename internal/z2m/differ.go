package z2m

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// hidden stands for a value that may be a secret.
const hidden = "(hidden)"

// CompareConfiguration tells how two configurations differ, one dotted key a line, with
// the files of devices and groups taken for part of them. What may be a secret is told
// as changed and not shown: values of keys with a telling name, values that stand in a
// secret file of either side or hold one, and logins inside addresses.
func CompareConfiguration(before, after Files) ([]string, error) {
	was, err := readSide(before)
	if err != nil {
		return nil, fmt.Errorf("the older configuration: %w", err)
	}
	is, err := readSide(after)
	if err != nil {
		return nil, fmt.Errorf("the newer configuration: %w", err)
	}
	mask := masker{secrets: append(was.secrets, is.secrets...)}
	out := mask.differences("", was.values, is.values)
	for _, file := range slices.Sorted(maps.Keys(union(was.files, is.files))) {
		out = append(out, masker{all: true}.differences(file+": ", was.files[file], is.files[file])...)
	}
	return out, nil
}

// A side is one of two configurations, flat.
type side struct {
	values  map[string]string            // by dotted key
	files   map[string]map[string]string // secret files
	secrets []string                     // all values in them
}

func readSide(get Files) (side, error) {
	c, err := loadConfiguration(get)
	if err != nil {
		return side{}, err
	}
	s := side{values: map[string]string{}, files: map[string]map[string]string{}}
	flatten(s.values, "", c.values)
	for _, key := range listing {
		for _, name := range c.listed(key) {
			if err := s.add(get, path.Clean(name), func(v map[string]any) { flatten(s.values, key, v) }); err != nil {
				return side{}, err
			}
		}
	}
	secretFiles := map[string]bool{"secret.yaml": true}
	for _, key := range referring {
		if ref, ok := c.reference(key); ok {
			secretFiles[ref.file] = true
		}
	}
	for name := range secretFiles {
		flat := map[string]string{}
		if err := s.add(get, name, func(v map[string]any) { flatten(flat, "", v) }); err != nil {
			return side{}, err
		}
		s.files[name] = flat
		s.secrets = slices.AppendSeq(s.secrets, maps.Values(flat))
	}
	return s, nil
}

// add reads a further file, if there is one.
func (s side) add(get Files, name string, take func(map[string]any)) error {
	if inside(name) != nil {
		return nil
	}
	doc, err := loadYAML(get, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		take(doc.Value())
	}
	return err
}

// flatten writes one line for each value; a list of plain values is one.
func flatten(out map[string]string, key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(out, strings.TrimPrefix(key+"."+name, "."), inner)
		}
	case []any:
		if !slices.ContainsFunc(v, isGroup) {
			text, _ := json.Marshal(v)
			out[key] = string(text)
			return
		}
		for i, inner := range v {
			flatten(out, fmt.Sprintf("%s[%d]", key, i), inner)
		}
	case nil:
		out[key] = "nothing"
	default:
		out[key] = fmt.Sprint(v)
	}
}

func isGroup(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func union[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// A masker tells differences and keeps secrets.
type masker struct {
	all     bool
	secrets []string
}

func (m masker) differences(prefix string, was, is map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(union(was, is))) {
		before, had := was[key]
		after, has := is[key]
		switch {
		case had == has && before == after:
		case m.hides(key, before) || m.hides(key, after):
			out = append(out, fmt.Sprintf("%s%s: %s %s", prefix, key, happened(had, has), hidden))
		case had && has:
			out = append(out, fmt.Sprintf("%s%s: %s → %s", prefix, key, shown(before), shown(after)))
		case has:
			out = append(out, fmt.Sprintf("%s%s: added, %s", prefix, key, shown(after)))
		default:
			out = append(out, fmt.Sprintf("%s%s: removed, was %s", prefix, key, shown(before)))
		}
	}
	return out
}

func happened(had, has bool) string {
	switch {
	case had && has:
		return "changed"
	case has:
		return "added"
	}
	return "removed"
}

// telling are names of keys whose values are secrets, wherever in a dotted key.
var telling = regexp.MustCompile(`(?i)(^|[._\[])(.*_)?(key|keys|pass|passwd|password|passphrase|passcode|pwd|pin|token|secret|secrets|credentials?|auth|auth_.*|.*password.*|.*secret.*|.*token.*|api_?key|pin_?codes?|codes?)([._\[]|$)`)

// shortestSecret is how long a secret must be for a value that only holds it to be
// hidden: "1" is in everything.
const shortestSecret = 4

func (m masker) hides(key, value string) bool {
	if m.all || telling.MatchString(key) {
		return true
	}
	return slices.ContainsFunc(m.secrets, func(secret string) bool {
		return secret != "" && value == secret || len(secret) >= shortestSecret && strings.Contains(value, secret)
	})
}

var login = regexp.MustCompile(`://[^/\s]*@`)

const longestShown = 120

// shown is a value on one line, without a login in it.
func shown(value string) string {
	value = strings.Join(strings.Fields(login.ReplaceAllString(value, "://"+hidden+"@")), " ")
	if r := []rune(value); len(r) > longestShown {
		return string(r[:longestShown]) + "…"
	}
	return value
}
