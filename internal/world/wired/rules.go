package wired

import (
	"fmt"
	"strings"
	"time"

	"z2mha/internal/world/home"
)

// Wrong is every rule that was broken so far.
func (w *World) Wrong() []string {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.wrong...)
}

func (w *World) breaks(rule, format string, args ...any) {
	text := fmt.Sprintf("%s %s: %s", time.Since(w.began).Round(time.Millisecond), rule, fmt.Sprintf(format, args...))
	w.log("!! %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, text)
}

// A breach is something that the medium must never record, and the stick that did it.
type breach struct {
	by, rule, text string
}

// breaches are those of the medium, in order of their kinds.
func (w *World) breaches() map[string]breach {
	out := map[string]breach{}
	r := w.medium.Record()
	for i, o := range r.DualActive {
		out[fmt.Sprint("dual", i)] = breach{o.Dongles[1], "I1", fmt.Sprintf("%s and %s were coordinators of one network at once", o.Dongles[0], o.Dongles[1])}
	}
	for i, c := range r.CounterRegressions {
		out[fmt.Sprint("counter", i)] = breach{c.Dongle, "I2", fmt.Sprintf("%s began with frame counter %d after %d had been on air", c.Dongle, c.First, c.Highest)}
	}
	for i, f := range r.Formed {
		out[fmt.Sprint("formed", i)] = breach{"", "I4", fmt.Sprintf("%s formed a new network", f.Dongle)}
	}
	if r.Joins > 0 {
		out["joins"] = breach{"", "I4", "a device had to be paired again"}
	}
	return out
}

// look looks at the rules that the medium knows: one voice, and counters that never fall.
// What a boot, a service manager or a person puts on air is not the controller's doing.
func (w *World) look() {
	for key, b := range w.breaches() {
		w.mu.Lock()
		known := w.seen[key]
		w.seen[key] = true
		w.mu.Unlock()
		if known {
			continue
		}
		if h := w.host(b.by); h != nil && h.unit.startedBy() != byController {
			w.log("-- not the controller but %s: %s %s", h.unit.startedBy(), b.rule, b.text)
			continue
		}
		w.breaks(b.rule, "%s", b.text)
	}
}

// secrets is I8: the network key is in nothing that is told or logged.
func (w *World) secrets(text string) {
	key := home.Identity.Key
	for _, secret := range []string{fmt.Sprintf("%x", key[:]), fmt.Sprintf("%X", key[:]), strings.Trim(fmt.Sprint(key[:]), "[]")} {
		if strings.Contains(text, secret) {
			w.breaks("I8", "the network key is in %q", text)
		}
	}
}
