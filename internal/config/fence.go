package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Fence cuts the power of a node by something that does not depend on it. The fields of
// its kind are set.
type Fence struct {
	Kind    FenceKind
	Timeout time.Duration // for a cut with its confirmation; 30s
	OffTime time.Duration // how long off must be seen before it counts; 5s

	// home_assistant
	Entity string
	Action string  // "" means turn_off of the entity's domain
	Power  string  // sensor, "" for none
	Below  float64 // watts

	// mqtt
	Topic, Payload       string
	ConfirmTopic         string
	AskTopic, AskPayload string

	// http
	Method        string
	URL           Secret
	Body          string
	ContentType   string
	Authorization Secret
	ConfirmURL    Secret

	// command
	Run     string
	Confirm string

	// mqtt, http, command: what the confirmation must say, and where in it when it is JSON
	Expect    string
	ExpectKey string
}

// A FenceKind is what a fence cuts by.
type FenceKind string

// The kinds of fence.
const (
	FenceHomeAssistant FenceKind = "home_assistant"
	FenceMQTT          FenceKind = "mqtt"
	FenceHTTP          FenceKind = "http"
	FenceCommand       FenceKind = "command"
	// FencePerson accepts that only a person can cut the power: there is nothing to be set.
	FencePerson FenceKind = "person"
)

// A fence that takes longer than longestFence would use up the time of those behind it.
const (
	shortestFence, longestFence = 5 * time.Second, 100 * time.Second
	shortestOff, longestOff     = time.Second, time.Minute
)

func (r *reader) fences(s *section) []Fence {
	v, ok := s.field("fence")
	if !ok {
		return nil
	}
	var out []Fence
	for _, entry := range v.list() {
		out = append(out, r.fence(entry.section()))
	}
	return out
}

func (r *reader) fence(s *section) Fence {
	f := Fence{
		Kind: need(s, "kind", oneOf(FenceHomeAssistant, FenceMQTT, FenceHTTP, FenceCommand, FencePerson),
			"write home_assistant, mqtt, http, command or person"),
		Timeout: read(s, "timeout", bounded(shortestFence, longestFence, "write a time from 5s to 100s"), 30*time.Second),
		OffTime: read(s, "off_time", bounded(shortestOff, longestOff, "write a time from 1s to 60s"), 5*time.Second),
	}
	if f.OffTime >= f.Timeout {
		s.place("off_time").problem("not below timeout", "write a longer timeout, or a shorter off_time")
	}
	switch f.Kind {
	case FencePerson:
	case FenceHomeAssistant:
		f.homeAssistant(s)
	case FenceMQTT:
		f.mqtt(s)
	case FenceHTTP:
		f.http(s)
	case FenceCommand:
		f.Run = need(s, "run", parseCommand, "write the command that cuts the power, and returns")
		f.Confirm = need(s, "confirm", parseCommand, "write the command that prints whether the power is off, with exit code 0")
		f.expect(s)
	default:
		return f // said already; what else stands there cannot be judged
	}
	s.close()
	return f
}

func (f *Fence) homeAssistant(s *section) {
	f.Entity = need(s, "entity", parseEntity, "name what is to be turned off, for example switch.attic_plug")
	f.Action = read(s, "action", parseEntity, "")
	f.Power = read(s, "power", parseSensor, "")
	f.Below = read(s, "below", parseWatts, 2)
	if _, given := s.field("below"); given && f.Power == "" {
		s.place("below").problem("watts without a sensor", "add power: with the sensor that measures them")
	}
}

func (f *Fence) mqtt(s *section) {
	f.Topic = need(s, "topic", parsePlainTopic, "write the topic that switches the power")
	f.Payload = need(s, "payload", parseAny, "write what switches it off, in quotes: \"OFF\"")
	f.ConfirmTopic = need(s, "confirm_topic", parsePlainTopic, "write the topic on which it says what it is")
	f.AskTopic = read(s, "ask_topic", parsePlainTopic, "")
	f.AskPayload = read(s, "ask_payload", parseAny, "")
	f.expect(s)
}

func (f *Fence) http(s *section) {
	f.Method = read(s, "method", oneOf("GET", "POST", "PUT", "PATCH", "DELETE"), "POST")
	f.URL = address(s, "url", "write the address that switches the power off")
	f.Body = read(s, "body", parseAny, "")
	f.ContentType = read(s, "content_type", parseWord, "application/json")
	f.Authorization = secret(s, "authorization")
	f.ConfirmURL = address(s, "confirm_url", "write the address that tells whether it is off")
	f.expect(s)
}

func (f *Fence) expect(s *section) {
	f.Expect = need(s, "expect", parseAny, "write what the confirmation says when the power is off, in quotes: \"off\"")
	f.ExpectKey = read(s, "expect_key", parseKey, "")
}

// address reads a URL, which may hold a secret: nothing of it gets into a problem.
func address(s *section, key, remedy string) Secret {
	v, ok := s.field(key)
	if !ok {
		s.missing(key, remedy)
		return Secret{}
	}
	out := secret(s, key)
	u, err := url.Parse(out.Reveal())
	if out.IsSet() && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		v.hide().problem("not an address", "write http://HOST/PATH or https://HOST/PATH, or !env NAME, or !file PATH")
	}
	return out
}

func parseEntity(s string) (string, error) {
	if !entityID.MatchString(s) {
		return "", refuse("not a name as Home Assistant has them", "write it with its domain, for example switch.attic_plug")
	}
	return s, nil
}

var entityID = regexp.MustCompile(`^[a-z0-9_]+\.[a-z0-9_]+$`)

func parseSensor(s string) (string, error) {
	if !entityID.MatchString(s) || !strings.HasPrefix(s, "sensor.") {
		return "", refuse("not a sensor", "write for example sensor.attic_plug_power")
	}
	return s, nil
}

func parseWatts(s string) (float64, error) {
	w, err := strconv.ParseFloat(s, 64)
	if err != nil || !(w > 0 && w <= 1000) {
		return 0, refuse("not a number of watts", "write for example 2")
	}
	return w, nil
}

func parseAny(s string) (string, error) { return s, nil }

func bounded(shortest, longest time.Duration, remedy string) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && (d < shortest || d > longest) {
			err = refuse("too short or too long", remedy)
		}
		return d, err
	}
}
