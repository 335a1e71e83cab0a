package helper

import (
	"fmt"
	"io"
	"strings"

	"z2mha/internal/dongle/port"
	"z2mha/internal/host/helperapi"
)

// holdersShown is how many holders of a port or folder a person is told.
const holdersShown = 3

func busyInWords(e *port.BusyError) string {
	if len(e.Holders) <= holdersShown {
		return e.Error()
	}
	names := make([]string, holdersShown)
	for i := range names {
		names[i] = e.Holders[i].String()
	}
	return fmt.Sprintf("%s is in use by %s and %d more; stop them first", e.Path, strings.Join(names, ", "), len(e.Holders)-holdersShown)
}

func itemsDiffer(n int) string {
	if n == 1 {
		return "1 item differs"
	}
	return fmt.Sprintf("%d items differ", n)
}

// The words for people. Each say function writes one result.

func sayInfo(w io.Writer, r helperapi.InfoResult) {
	fmt.Fprintf(w, "%s: %s\n", r.Port, r.Stick)
	fmt.Fprintf(w, "  address  %s\n", r.IEEE)
	fmt.Fprintf(w, "  state    %s\n", stateInWords(r.State))
	if n := r.Network; n != nil {
		fmt.Fprintf(w, "  network  PAN %s, extended PAN %s, channel %d\n", n.PanID, n.ExtPanID, n.Channel)
	}
	if r.USB != nil {
		fmt.Fprintf(w, "  USB      %s\n", usbInWords(*r.USB))
	}
}

func stateInWords(state string) string {
	if state == helperapi.StateHold {
		return state + " (its radio is silent)"
	}
	return state + " (its radio is on)"
}

func usbInWords(u helperapi.USB) string {
	return strings.TrimSpace(fmt.Sprintf("%s:%s %s %s %s", u.VendorID, u.ProductID, u.Manufacturer, u.Product, u.Serial))
}

func sayRead(w io.Writer, r helperapi.ReadResult, items int) {
	fmt.Fprintf(w, "%s: %d items of %s\n", r.Path, items, r.Stick)
	fmt.Fprintf(w, "%s says which firmware they are from; keep both, they hold the network's keys\n", notePath(r.Path))
	if r.State != helperapi.StateHold {
		fmt.Fprintf(w, "the stick is on air (%s): its memory lags up to 1001 frames behind; park it first for an exact copy\n", r.State)
	}
}

func sayWrite(w io.Writer, l load, r helperapi.WriteResult) {
	n := r.Report
	if n.Boots == 0 {
		fmt.Fprintf(w, "%s holds the image already; nothing was written\n", l.port)
		return
	}
	fmt.Fprintf(w, "%s holds the image: %d items written and read back, %d deleted, %d were right; state %s\n",
		l.port, n.Written, n.Deleted, n.Unchanged, stateInWords(r.State))
	if r.KeptPath != "" {
		fmt.Fprintf(w, "what it held before is in %s\n", r.KeptPath)
	}
	if l.image.Configured() {
		fmt.Fprintln(w, "frame counters were not raised: devices ignore an image older than what they have heard; "+
			"never let two sticks with it on air (z2mha switchover moves a network)")
	}
}

func sayPatch(w io.Writer, port string, r helperapi.PatchResult) {
	fmt.Fprintf(w, "%s: %d items written and read back, %d deleted; state %s\n", port, r.Written, r.Deleted, stateInWords(r.State))
}

func sayAway(w io.Writer, r helperapi.AwayResult) {
	words := "given back to this host"
	if r.Away {
		words = "away: nothing on this host can use it. It may have power still"
	}
	fmt.Fprintf(w, "USB device %s (%s) is %s\n", r.Device, usbInWords(r.USB), words)
}

func sayHeard(w io.Writer, r helperapi.HeardResult) {
	who := "no coordinator of the network answers"
	if r.Coordinator {
		who = "a coordinator of the network is on air"
	}
	fmt.Fprintf(w, "%s; %d of its routers do, and %d beacons of other networks came\n", who, len(r.Neighbours), r.Others)
}

func sayVerify(w io.Writer, r helperapi.VerifyResult) {
	if r.Equal {
		fmt.Fprintln(w, "the stick holds the image")
		return
	}
	for _, d := range r.Differs {
		fmt.Fprintln(w, d)
	}
}

func saySilence(w io.Writer, port string, s helperapi.Silence) {
	how := "was silent already"
	if s.Reset {
		how = "was reset"
	}
	fmt.Fprintf(w, "%s %s; state %s, read back %s\n", port, how, stateInWords(s.State), s.At.Local().Format("15:04:05"))
}

func sayProbe(w io.Writer, r helperapi.ProbeResult) {
	if r.TTY != nil {
		fmt.Fprintf(w, "port     %s: %s\n", r.TTY.Path, portInWords(*r.TTY))
		sayHolders(w, r.Holders)
	}
	if r.Also != nil {
		fmt.Fprintf(w, "port     %s: %s\n", r.Also.Path, portInWords(*r.Also))
	}
	for _, d := range []*helperapi.DataDir{r.Data, r.Staging} {
		if d != nil {
			fmt.Fprintf(w, "folder   %s: %s\n", d.Path, dirInWords(*d))
		}
	}
	sayHolders(w, r.DataHolders)
	if r.Version != "" {
		fmt.Fprintf(w, "program  Zigbee2MQTT %s\n", r.Version)
	}
	if b := r.Broker; b != nil {
		fmt.Fprintf(w, "broker   %s: reached %t %s\n", b.Address, b.OK, b.Why)
	}
	if r.Blind {
		fmt.Fprintf(w, "unsure   %s; somebody unseen may use port or folder\n", r.BlindReason)
	} else if r.Contained != "" {
		fmt.Fprintf(w, "note     %s\n", r.Contained)
	}
}

func portInWords(t helperapi.TTY) string {
	switch {
	case !t.Present:
		return "not there"
	case t.USB != nil:
		return usbInWords(*t.USB)
	}
	return "present"
}

func dirInWords(d helperapi.DataDir) string {
	room := fmt.Sprintf("%.1f of %.1f GB free", float64(d.FreeBytes)/1e9, float64(d.TotalBytes)/1e9)
	if !d.Exists {
		return "not there, " + room
	}
	return room
}

func sayHolders(w io.Writer, holders []helperapi.Holder) {
	for i, h := range holders {
		if i == holdersShown {
			fmt.Fprintf(w, "  and by %d more\n", len(holders)-i)
			break
		}
		why := h.Why
		if h.Locked {
			why = "locked"
		}
		fmt.Fprintf(w, "  used by %s (pid %d) %s\n", h.Command, h.PID, why)
	}
}

func sayManifest(w io.Writer, m helperapi.ManifestResult) {
	for _, f := range m.Files {
		if f.Link != "" {
			fmt.Fprintf(w, "%-16s  %10s  %s -> %s\n", "link", "", f.Path, f.Link)
			continue
		}
		fmt.Fprintf(w, "%.16s  %10d  %s\n", f.SHA256, f.Size, f.Path)
	}
	if m.Hash != "" {
		fmt.Fprintf(w, "hash of all: %s\n", m.Hash)
	}
	for _, s := range m.Skipped {
		fmt.Fprintf(w, "skipped %s\n", s)
	}
	for _, c := range m.Changing {
		fmt.Fprintf(w, "keeps changing: %s\n", c)
	}
}

func sayPromote(w io.Writer, r helperapi.PromoteResult) {
	if r.Undone {
		fmt.Fprintf(w, "%s is as it was before\n", r.Data)
	} else {
		fmt.Fprintf(w, "%s is new: %d files, read back (%s)\n", r.Data, r.Files, r.Method)
	}
	if r.Previous != "" {
		fmt.Fprintf(w, "what was there lies in %s\n", r.Previous)
	}
}
