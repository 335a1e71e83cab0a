package console

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"z2mha/internal/failover/generation"
)

// Generations prints what is on the shelf of a network, oldest first.
func Generations(w io.Writer, net string, all []generation.Generation) {
	w = Plain(w)
	if len(all) == 0 {
		fmt.Fprintf(w, "%s: nothing was captured yet\n", net)
		return
	}
	fmt.Fprintf(w, "%s:\n", net)
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "  NUMBER\tTAKEN\tFROM\tDEVICES\tSIZE\tSTICK\tSTATE")
	latest := newestUsable(all)
	for _, g := range all {
		fmt.Fprintf(tw, "  %d\t%s\t%s\t%d\t%s\t%s\t%s\n", g.Number, g.At.Local().Format(time.DateTime), cmp.Or(g.Source, "-"),
			g.Summary.Devices, Bytes(weight(g)), yesNo(g.StickImage != ""), state(g, latest))
	}
	_ = tw.Flush()
}

func newestUsable(all []generation.Generation) int {
	latest := 0
	for _, g := range all {
		if g.Usable() {
			latest = max(latest, g.Number)
		}
	}
	return latest
}

func weight(g generation.Generation) (total int64) {
	for _, f := range g.Files {
		total += f.Size
	}
	return total
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// state is what may be done with a generation, in words.
func state(g generation.Generation, latest int) string {
	var s string
	switch {
	case g.Accepted != nil:
		s = "accepted by " + g.Accepted.By
	case len(g.Refused) > 1:
		s = fmt.Sprintf("refused: %s, and %d more", g.Refused[0], len(g.Refused)-1)
	case len(g.Refused) == 1:
		s = "refused: " + g.Refused[0]
	default:
		s = "good"
	}
	if g.Number == latest {
		s += ", the newest to use"
	}
	if g.Pinned {
		s += ", pinned"
	}
	return s
}

// Generation prints all that is known of one; latest is the newest usable one's number.
func Generation(w io.Writer, g generation.Generation, latest int) {
	w = Plain(w)
	s := g.Summary
	fmt.Fprintf(w, "generation %d of %s: %s\n", g.Number, g.Network, state(g, latest))
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(tw, "  %s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	line("taken", "%s from %s, %s", g.At.Local().Format(time.DateTime), cmp.Or(g.Source, "-"), cmp.Or(g.Reason, "no reason is on record"))
	line("network", "PAN %s, extended PAN %s, channel %d, coordinator %s, key #%s", s.PanID, s.ExtPanID, s.Channel, s.Coordinator, s.KeyFingerprint)
	line("devices", "%d; the stick's backup has %d, of them %d with a link key", s.Devices, s.BackupDevices, s.BackupKeys)
	line("frame counter", "%d in coordinator_backup.json", s.BackupCounter)
	if g.StickImage != "" {
		line("stick", "%s; the whole memory is here", g.Stick)
	} else {
		line("stick", "its memory was not read for this one")
	}
	line("files", "%d, %s", len(g.Files), Bytes(weight(g)))
	_ = tw.Flush()
	list(w, "refused because", g.Refused)
	list(w, "warnings", s.Warnings)
	var names, paths []string
	for _, m := range s.Members {
		names = append(names, m.String())
	}
	for _, f := range g.Files {
		paths = append(paths, fmt.Sprintf("%s, %s", f.Path, Bytes(f.Size)))
	}
	list(w, "devices", names)
	list(w, "files", paths)
}

func list(w io.Writer, title string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(w, "\n%s:\n  %s\n", title, strings.Join(lines, "\n  "))
	}
}

// Comparison prints how two generations differ. configuration is nil when it does not,
// or could not be compared.
func Comparison(w io.Writer, was, is generation.Generation, d generation.Difference, configuration []string) {
	w = Plain(w)
	fmt.Fprintf(w, "from generation %d (%s) to %d (%s) of %s:\n  %s\n", was.Number, was.At.Local().Format(time.DateTime),
		is.Number, is.At.Local().Format(time.DateTime), is.Network, strings.Join(d.Lines(), "\n  "))
	list(w, "configuration", configuration)
}

// Bytes is a size as people write it.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
