package config

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Parse checks the content of the file at path, which it does not read. See Load.
func Parse(path string, data []byte) (*Config, error) { return ParseWith(path, data, Defaults{}) }

// ParseWith is Parse with defaults of the caller's.
func ParseWith(path string, data []byte, d Defaults) (*Config, error) {
	root, problem := document(data)
	if problem != nil {
		return nil, &Problems{Path: path, List: []Problem{*problem}}
	}
	r := &reader{defaults: d}
	c := r.config(value{r, "", root}, filepath.Dir(path))
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &Problems{Path: path, List: r.problems}
	}
	c.Path, c.Warnings = path, r.warnings
	return c, nil
}

// document returns the top of the only YAML document in data.
func document(data []byte) (*yaml.Node, *Problem) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && resolve(doc.Content[0]).Tag == "!!null":
		return nil, &Problem{What: "the file is empty", Remedy: "write one after docs/z2mha.example.yaml"}
	case err != nil:
		return nil, syntaxProblem(err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Problem{Line: more.Line, What: "a second document begins here", Remedy: "keep everything in one; remove the line ---"}
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// syntaxProblem says where the YAML goes wrong. The parser quotes the file only
// where it speaks of anchors, and that may be a password that begins with *.
func syntaxProblem(err error) *Problem {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{What: "not valid YAML", Remedy: "look at indentation, colons and quotes there and in the line before; text with @ * & ! % # wants quotes"}
	if m := yamlLine.FindStringSubmatchIndex(what); m != nil {
		p.Line, _ = strconv.Atoi(what[m[2]:m[3]])
		what = what[m[1]:]
	}
	if !strings.Contains(what, "anchor") {
		p.What += ": " + what
	}
	return &p
}

func (r *reader) config(top value, dir string) *Config {
	s := top.section()
	defer s.close()
	c := &Config{
		State:   read(s, "state", parsePath, cmp.Or(r.defaults.State, filepath.Join(dir, "state"))),
		Timing:  DefaultTiming,
		Capture: DefaultCapture,
		Policy:  r.policy(s, DefaultPolicy),
		MQTT:    r.mqtt(s),
	}
	c.Networks = r.networks(s, c.Policy)
	if v, ok := s.field("timing"); ok {
		c.Timing = r.timing(v)
	}
	if v, ok := s.field("capture"); ok {
		c.Capture = r.capture(v)
	}
	c.AnyRevision = read(s, "any_revision", parseBool, false)
	c.HomeAssistant = r.homeAssistant(s)
	c.SNMP = r.snmp(s)
	c.Page = r.page(s)
	c.Shelf = r.shelf(s)
	checkTopics(c, s)
	return c
}

func (r *reader) mqtt(top *section) MQTT {
	v, ok := top.field("mqtt")
	if !ok && r.defaults.MQTT != nil {
		return *r.defaults.MQTT
	}
	if !ok {
		top.missing("mqtt", "say which broker Zigbee2MQTT uses, as in mqtt: {server: mqtt://localhost:1883}")
		return MQTT{}
	}
	s := v.section()
	defer s.close()
	m := MQTT{
		Server:   r.server(s),
		User:     read(s, "user", parseWord, ""),
		Password: r.password(s),
		CA:       read(s, "ca", parsePath, ""),
		ClientID: read(s, "client_id", parseWord, "z2mha"),
	}
	if m.CA != "" && !m.Server.TLS {
		s.place("ca").problem("a certificate without TLS", "write mqtts:// in mqtt.server, or remove ca")
	}
	if m.Password.IsSet() && m.User == "" {
		s.missing("user", "a password wants a user")
	}
	return m
}

// server reads mqtt.server, which must not carry a password: it is shown.
func (r *reader) server(s *section) Server {
	if v, ok := s.field("server"); ok && strings.Contains(v.node.Value, "@") {
		v.hide().problem("user or password inside the address", "write them as user: and password:")
		return Server{}
	}
	return need(s, "server", parseServer, "write the broker's address, for example mqtt://localhost:1883")
}

// password reads text, !env NAME or !file PATH. Nothing of it gets into a problem.
func (r *reader) password(s *section) Secret { return secret(s, "password") }

func secret(s *section, key string) Secret {
	v, ok := s.field(key)
	if !ok {
		return Secret{}
	}
	if v.node.Kind != yaml.ScalarNode {
		v.hide().problem("one value is wanted here, not a list or a group", "put the password into quotes")
		return Secret{}
	}
	switch tag := v.node.Tag; {
	case tag == "!env":
		return v.fromEnvironment()
	case tag == "!file":
		return v.fromFile()
	case strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!"):
		v.hide().problem("begins with an exclamation mark", "put the password into quotes; only !env NAME and !file PATH mean something else")
		return Secret{}
	}
	return Secret{value: v.node.Value, inFile: true}
}

func (v value) fromEnvironment() Secret {
	s := os.Getenv(v.node.Value)
	if s == "" {
		v.problem("no such environment variable, or an empty one", "set it for z2mha, or write the password in quotes")
	}
	return NewSecret(s)
}

func (v value) fromFile() Secret {
	path, err := parsePath(v.node.Value)
	if err != nil {
		v.refused(err)
		return Secret{}
	}
	b, err := os.ReadFile(path)
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case err != nil:
		v.problem("the file cannot be read: "+errors.Unwrap(err).Error(), "make it, readable for z2mha, with the password as its only line")
	case s == "" || strings.Contains(s, "\n"):
		v.problem("the file does not hold exactly one line", "write the password as its only line")
	}
	return NewSecret(s)
}

func (r *reader) timing(v value) Timing {
	s := v.section()
	defer s.close()
	d := DefaultTiming
	t := Timing{
		Settle: read(s, "settle", parseDuration, d.Settle),
		Stop:   read(s, "stop", parseDuration, d.Stop),
		Start:  read(s, "start", parseDuration, d.Start),
		Prove:  read(s, "prove", parseDuration, d.Prove),
		Watch:  read(s, "watch", parseDuration, d.Watch),
	}
	switch watch := s.place("watch"); {
	case t.Watch > longestWatch:
		watch.problem("longer than an hour", "every switchover lasts that long; write for example 10s")
	case t.Watch > longWatch:
		watch.warn("longer than 10 minutes", "every switchover lasts that long; the default is 10s")
	}
	return t
}

// A watch above longWatch is unusual; one above longestWatch is a mistake.
const (
	longWatch    = 10 * time.Minute
	longestWatch = time.Hour
)

// A backup asks a stick some 950 times while it serves the home; a copy that is rarer
// than the upper bounds is called stale only after a day.
const (
	shortestBackup, longestBackup = 5 * time.Minute, 8 * time.Hour
	shortestFiles, longestFiles   = time.Minute, time.Hour
)

func (r *reader) capture(v value) Capture {
	s := v.section()
	defer s.close()
	c := Capture{
		Backup: read(s, "backup", between(shortestBackup, longestBackup, "5m", "8h"), DefaultCapture.Backup),
		Files:  read(s, "files", between(shortestFiles, longestFiles, "1m", "1h"), DefaultCapture.Files),
	}
	if c.Files > c.Backup {
		s.place("files").problem("rarer than backup", "each backup captures the files too; write a shorter time here, or a longer one for backup")
	}
	return c
}

// read returns a key's value, or fallback when it is absent or refused.
func read[T any](s *section, name string, parse func(string) (T, error), fallback T) T {
	v, ok := s.field(name)
	if !ok {
		return fallback
	}
	return scalar(v, parse, fallback)
}

// need is read for a key that must be given.
func need[T any](s *section, name string, parse func(string) (T, error), remedy string) T {
	var none T
	v, ok := s.field(name)
	if !ok {
		s.missing(name, remedy)
		return none
	}
	return scalar(v, parse, none)
}

func scalar[T any](v value, parse func(string) (T, error), fallback T) T {
	text, ok := v.text()
	if !ok {
		return fallback
	}
	out, err := parse(text)
	if err != nil {
		v.refused(err)
		return fallback
	}
	return out
}

func (v value) refused(err error) {
	if r, ok := errors.AsType[*refusal](err); ok {
		v.problem(r.what, r.remedy)
		return
	}
	v.problem(err.Error(), "")
}
