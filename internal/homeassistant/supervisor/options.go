package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// OptionsFile is where the Supervisor writes the options at each start of the add-on.
const OptionsFile = "/data/options.json"

// Options are what the user set on the add-on's configuration tab. Everything else is
// in z2mha.yaml. The zero value holds the defaults.
type Options struct {
	LogLevel slog.Level
	Language string // en, de, es; "" follows Home Assistant
	MQTT     MQTTOptions
}

// MQTTOptions overrides the broker that the Supervisor offers. Each may be empty.
type MQTTOptions struct {
	Server   string // mqtt://host[:port] or mqtts://host[:port]
	User     string
	Password Secret
	CA       string // PEM file
}

// Log levels that slog has no name for.
const (
	LevelTrace  = slog.LevelDebug - 4
	LevelNotice = slog.LevelInfo + 2
	LevelFatal  = slog.LevelError + 4
)

var levels = map[string]slog.Level{
	"trace": LevelTrace, "debug": slog.LevelDebug, "info": slog.LevelInfo, "notice": LevelNotice,
	"warning": slog.LevelWarn, "error": slog.LevelError, "fatal": LevelFatal,
}

var languages = []string{"", "en", "de", "es"}

// A Problem is an option that is not used, and what to do about it. It shows no secret.
type Problem struct {
	Key    string // as in mqtt.server; "" when it is about the file as a whole
	What   string
	Remedy string
}

func (p Problem) String() string {
	text := p.What + "; " + p.Remedy
	if p.Key == "" {
		return "options: " + text
	}
	return "option " + p.Key + ": " + text
}

// ReadOptions reads the options file at path. What is wrong in it is a problem and gets
// its default: an add-on that runs with less is better than one that does not start.
func ReadOptions(path string) (Options, []Problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return Options{}, []Problem{{
			What:   fmt.Sprintf("%s cannot be read (%v), so the defaults are used", path, err),
			Remedy: saveAgain,
		}}
	}
	return ParseOptions(data)
}

const saveAgain = "save the options on the add-on's configuration tab and restart it"

// ParseOptions is ReadOptions for the content of a file.
func ParseOptions(data []byte) (Options, []Problem) {
	var r optionReader
	var o Options
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil || top == nil {
		r.problem("", "not a JSON object, so the defaults are used", saveAgain)
		return o, r.problems
	}
	for _, key := range slices.Sorted(maps.Keys(top)) {
		switch value := top[key]; key {
		case "log_level":
			o.LogLevel = r.level(key, value)
		case "language":
			o.Language = r.language(key, value)
		case "mqtt":
			o.MQTT = r.mqtt(value)
		default:
			r.unknown(key)
		}
	}
	return o, r.problems
}

type optionReader struct{ problems []Problem }

func (r *optionReader) problem(key, what, remedy string) {
	r.problems = append(r.problems, Problem{Key: key, What: what, Remedy: remedy})
}

func (r *optionReader) unknown(key string) {
	r.problem(shorten(key), "there is no such option, so it is ignored", "remove it on the add-on's configuration tab, edited as YAML")
}

// text reads an option that is text; null is as if it were not there.
func (r *optionReader) text(key string, value json.RawMessage) string {
	var s *string
	if json.Unmarshal(value, &s) != nil {
		r.problem(key, "not a text, so it is ignored", "put it into quotes")
	}
	if s == nil {
		return ""
	}
	return *s
}

func (r *optionReader) level(key string, value json.RawMessage) slog.Level {
	name := r.text(key, value)
	level, ok := levels[name]
	if !ok && name != "" {
		r.problem(key, fmt.Sprintf("%q is no log level, so info is used", shorten(name)),
			"choose one of trace, debug, info, notice, warning, error, fatal")
	}
	return level // Info is zero
}

func (r *optionReader) language(key string, value json.RawMessage) string {
	name := r.text(key, value)
	if !slices.Contains(languages, name) {
		r.problem(key, fmt.Sprintf("%q is not spoken here, so that of Home Assistant is used", shorten(name)),
			"choose en, de or es, or leave it empty")
		return ""
	}
	return name
}

func (r *optionReader) mqtt(value json.RawMessage) MQTTOptions {
	var group map[string]json.RawMessage
	if json.Unmarshal(value, &group) != nil {
		r.problem("mqtt", "not a group of options, so it is ignored", "write server, user, password and ca below it")
		return MQTTOptions{}
	}
	var m MQTTOptions
	for _, name := range slices.Sorted(maps.Keys(group)) {
		switch key, value := "mqtt."+name, group[name]; name {
		case "server":
			m.Server = r.server(key, value)
		case "user":
			m.User = r.text(key, value)
		case "password":
			m.Password = NewSecret(r.text(key, value))
		case "ca":
			m.CA = r.file(key, value)
		default:
			r.unknown(key)
		}
	}
	return m
}

// server reads a broker's address. It is not quoted: a password may hide in it.
func (r *optionReader) server(key string, value json.RawMessage) string {
	const remedy = "write mqtt://HOST, mqtt://HOST:PORT or mqtts://HOST:PORT, or leave it empty for the broker that Home Assistant uses"
	address := r.text(key, value)
	if address == "" {
		return ""
	}
	u, err := url.Parse(address)
	switch {
	case strings.Contains(address, "@"):
		r.problem(key, "user or password inside the address, so it is ignored", "write them as user and password")
	case err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		r.problem(key, "not the address of a broker, so it is ignored", remedy)
	case u.Scheme != "mqtt" && u.Scheme != "mqtts":
		r.problem(key, "only mqtt:// and mqtts:// are spoken, so it is ignored", remedy)
	default:
		return address
	}
	return ""
}

func (r *optionReader) file(key string, value json.RawMessage) string {
	path := r.text(key, value)
	if path != "" && !filepath.IsAbs(path) {
		r.problem(key, "a path that does not begin with /, so it is ignored", "write for example /ssl/ca.pem")
		return ""
	}
	return path
}

func shorten(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
