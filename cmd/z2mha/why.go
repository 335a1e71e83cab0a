package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"z2mha/internal/console"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/decide/recorded"
	"z2mha/internal/storage/decisions"
)

// which are the flags that name one decision.
type which struct {
	at     string
	number int
	not    string
	asJSON bool
}

func whyCommand(f *flags) *cobra.Command {
	var w which
	cmd := &cobra.Command{
		Use: "why", Short: "Tell what was decided by itself, and why, and why nothing else", Args: noArgs,
		Long: "Tell what was decided by itself, and why: the last decision, or the one with a number or of a time. --not asks\n" +
			"for what spoke against something else: `z2mha why --not failover`. Works beside a server; touches no host.\n" +
			"Every decision is kept with all that it was made from; --json writes that, and `z2mha replay` decides it anew.",
		RunE: func(cmd *cobra.Command, _ []string) error { return why(cmd.OutOrStdout(), f, w, time.Now()) },
	}
	cmd.Flags().StringVar(&w.at, "at", "", "the decision that held at this time: 03:31, \"2026-03-04 03:31\" or as in RFC 3339")
	cmd.Flags().IntVar(&w.number, "number", 0, "the decision with this number")
	cmd.Flags().StringVar(&w.not, "not", "", "what spoke against this: "+strings.Join(actionWords(), ", "))
	cmd.Flags().BoolVar(&w.asJSON, "json", false, "print the decision with all that it was made from, for programs and for replay")
	return cmd
}

// actionWords are the actions as words on a command line.
func actionWords() (out []string) {
	for _, a := range decide.Actions {
		out = append(out, strings.ReplaceAll(string(a), " ", "-"))
	}
	return out
}

func why(out io.Writer, f *flags, w which, now time.Time) error {
	against := decide.Action("")
	if w.not != "" {
		i := slices.Index(actionWords(), strings.ReplaceAll(w.not, " ", "-"))
		if i < 0 {
			return usageError{fmt.Errorf("there is no action %q; there are %s", w.not, strings.Join(actionWords(), ", "))}
		}
		against = decide.Actions[i]
	}
	s, err := w.find(f, now)
	switch {
	case err != nil:
		return err
	case w.asJSON:
		return printJSON(out, s)
	case against != "":
		console.WhyNot(out, shown(s), against, now)
	default:
		console.Why(out, shown(s), now)
	}
	return nil
}

func shown(s decisions.Stored) console.Decided {
	return console.Decided{Network: s.Input.Health.Network, Number: s.Number, At: s.At, Decision: s.Decision}
}

// find is the decision that is meant.
func (w which) find(f *flags, now time.Time) (decisions.Stored, error) {
	dir, network, err := decisionsOf(f)
	if err != nil {
		return decisions.Stored{}, err
	}
	switch {
	case w.at != "" && w.number != 0:
		return decisions.Stored{}, usageError{errors.New("give --at or --number, not both")}
	case w.number != 0:
		s, err := decisions.Number(dir, network, w.number)
		return s, kept(err, fmt.Sprintf("decision %d of %s is not kept", w.number, network))
	case w.at != "":
		at, err := moment(w.at, now)
		if err != nil {
			return decisions.Stored{}, err
		}
		s, err := decisions.At(dir, network, at)
		return s, kept(err, fmt.Sprintf("no decision of %s is kept from %s or before", network, at.Format(time.DateTime)))
	}
	last, err := decisions.Last(dir, network, 1)
	if err == nil && len(last) == 0 {
		return decisions.Stored{}, fmt.Errorf("nothing was decided for %s yet; the server decides, while it runs", network)
	}
	if err != nil {
		return decisions.Stored{}, err
	}
	return last[0], nil
}

// kept says in words that there is none.
func kept(err error, words string) error {
	if errors.Is(err, decisions.ErrNone) {
		return errors.New(words)
	}
	return err
}

// decisionsOf is where the decisions of the network that is meant are kept.
func decisionsOf(f *flags) (dir, network string, err error) {
	around := here(f)
	cfg, err := around.peek()
	if err != nil {
		return "", "", err
	}
	names, err := namedNetworks(cfg, f.network)
	if err == nil && len(names) > 1 {
		err = usageError{fmt.Errorf("which network? say --network with one of %s", networkNames(cfg))}
	}
	if err != nil {
		return "", "", err
	}
	return filepath.Join(cfg.State, decisionsDir), names[0], nil
}

// decisionsDir is their place in the state directory.
const decisionsDir = "decisions"

// moment reads a time as people write it; one without a date is the last one that was.
func moment(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		y, m, d := now.Date()
		at := time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		if at.After(now) {
			at = time.Date(y, m, d-1, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		}
		return at, nil
	}
	return time.Time{}, usageError{fmt.Errorf("%q is no time; write 03:31 or \"2026-03-04 03:31\"", s)}
}

func replayCommand() *cobra.Command {
	return &cobra.Command{
		Use: "replay FILE", Short: "Decide anew what was decided, and compare", Args: exactly(1, "a file that `z2mha why --json` has written, or a recorded case"),
		Long: "Decide anew what was decided, and compare bit for bit. FILE is what `z2mha why --json` writes, or a recorded case in\n" +
			"words. The exit code is 1 when it is decided otherwise now, which another release may do.",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
				return replayStored(cmd.OutOrStdout(), text)
			}
			return replayCase(cmd.OutOrStdout(), string(text))
		},
	}
}

func replayStored(out io.Writer, text []byte) error {
	was, is, err := decisions.Replay(text)
	if err != nil {
		return usageError{err}
	}
	if bytes.Equal(was, is) {
		fmt.Fprintln(out, "decided the same, bit for bit")
		return nil
	}
	return otherwise(out, indented(was), indented(is))
}

func indented(b []byte) string {
	var out bytes.Buffer
	_ = json.Indent(&out, b, "", "  ")
	return out.String()
}

func replayCase(out io.Writer, text string) error {
	c, err := recorded.Parse(text)
	if err != nil {
		return usageError{err}
	}
	_, all := c.Decide()
	if got := c.Text(all); got != text {
		return otherwise(out, text, got)
	}
	fmt.Fprintf(out, "decided the same, %d times\n", len(all))
	return nil
}

// otherwise prints the lines that differ.
func otherwise(out io.Writer, was, is string) error {
	w := console.Plain(out)
	before, after := strings.Split(was, "\n"), strings.Split(is, "\n")
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintf(w, "was: %s\n", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintf(w, "is:  %s\n", line)
		}
	}
	return errors.New("decided otherwise")
}
