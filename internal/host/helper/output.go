package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"z2mha/internal/host/helperapi"
)

const (
	progressEvery = 100 * time.Millisecond
	barWidth      = 30
)

// An output speaks JSON to programs and text to people. Errors of writing are not
// reported: whoever listened is gone, and a verb that must stop then learns it from
// its signals.
type output struct {
	env   Env
	text  bool
	shown time.Time // when progress was last told
	step  string
	drawn bool // a bar stands on the terminal's line
}

func newOutput(env Env) *output { return &output{env: env, text: env.StdoutTerminal} }

// progress tells how far a step is, often enough to see it move.
func (o *output) progress(step string, done, total int) {
	now := time.Now()
	if step == o.step && done != total && now.Sub(o.shown) < progressEvery {
		return
	}
	o.step, o.shown = step, now
	if !o.text {
		o.line(helperapi.Message{Event: helperapi.EventProgress, Progress: &helperapi.Progress{Step: step, Done: done, Total: total}})
	}
	if o.env.StderrTerminal {
		o.draw(step, done, total)
	}
}

func (o *output) draw(step string, done, total int) {
	filled := 0
	if total > 0 {
		filled = barWidth * min(done, total) / total
	}
	fmt.Fprintf(o.env.Stderr, "\r%-10s [%s%s] %d/%d ", step,
		strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, total)
	o.drawn = true
}

// clear wipes the bar, so that text starts on a line of its own.
func (o *output) clear() {
	if o.drawn {
		fmt.Fprintf(o.env.Stderr, "\r%s\r", strings.Repeat(" ", barWidth+40))
		o.drawn = false
	}
}

// result tells the outcome: as JSON, or in the words that say finds for it.
func (o *output) result(value any, say func(w io.Writer)) error {
	o.clear()
	if o.text {
		say(o.env.Stdout)
		return nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	o.line(helperapi.Message{Event: helperapi.EventResult, Result: raw})
	return nil
}

func (o *output) line(m helperapi.Message) {
	data, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("helper: a message that is no JSON: %v", err))
	}
	_, _ = o.env.Stdout.Write(append(data, '\n'))
}

// fail reports why a verb failed and returns the exit status.
func (o *output) fail(err error) int {
	if errors.Is(err, errHelp) {
		return int(helperapi.ExitOK)
	}
	o.clear()
	e := classify(err)
	if o.text {
		fmt.Fprintf(o.env.Stderr, "znp-helper: %s\n", e.Message)
		return int(e.Exit)
	}
	data, _ := json.Marshal(e)
	_, _ = o.env.Stderr.Write(append(data, '\n'))
	return int(e.Exit)
}

// warn tells something that does not change the outcome.
func (o *output) warn(format string, args ...any) {
	o.clear()
	fmt.Fprintf(o.env.Stderr, "znp-helper: "+format+"\n", args...)
}
