package e2e_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"z2mha/internal/world/home"
	"z2mha/internal/world/sshhost"
)

// TestPageUndoes trusts a host that has a new key, and removes the network, with the
// mouse.
func TestPageUndoes(t *testing.T) {
	a := simulated(t, machines(t)).start().addon()
	p := a.open()
	p.isActive(a.home.Attic)
	p.follow("nav", "Add a host")
	p.press(".nodes-there li:nth-child(1)", "Check", contains(".nodes-there li:nth-child(1)", "Our key lets"))
	p.sees(`document.activeElement.textContent.includes("Our key lets")`)

	a.forgetsTheKeyOf(a.home.Cellar)
	p.press(".nodes-there li:nth-child(2)", "Check", contains("#node-step h3", "shows another key than before"))
	off := button("#node-step", "Trust the new key") + `.disabled`
	p.sees(off)
	p.everyLook("trust")
	p.do(chromedp.SendKeys(chromedp.CSS("#node-step [data-word]"), "cellar"))
	p.sees("!" + off)
	p.press("#node-step", "Trust the new key", contains(".nodes-there li:nth-child(2)", "The new key is trusted."))
	p.press(".nodes-there li:nth-child(2)", "Check", contains(".nodes-there li:nth-child(2)", "Our key lets"))
	p.everyLook("nodes")

	p.press(".nodes-there li:nth-child(2)", "Remove", contains("#node-step h3", "Remove the whole network home?"))
	p.says("#node-step .yaml", "- name: cellar")
	p.everyLook("removal")
	file := filepath.Join(a.data, "z2mha.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	// Somebody edits the file meanwhile.
	writeFile(t, file, "%s# mine\n", before)
	p.allows("409")
	p.press("#node-step", "Remove the whole network", contains("#node-step [data-failure]", "has changed since this was shown"))
	p.follow("#node-step", "Cancel")
	p.press(".nodes-there li:nth-child(1)", "Remove", contains("#node-step h3", "Remove the whole network home?"))
	p.press("#node-step", "Remove the whole network", contains("#node-step", "The network home is removed."))
	p.follow("#node-step", "Overview")
	p.says("h1", "No network is set up yet.")
	if got := a.home.OnAir(); got != "attic" {
		t.Errorf("on air: %q", got)
	}
	a.lampAnswersThrough(a.home.Attic)
	a.logKeepsSecrets()
}

// forgetsTheKeyOf puts another key into the place of the one that is pinned for a host.
func (a *addon) forgetsTheKeyOf(n *home.Node) {
	a.Helper()
	file := filepath.Join(a.data, "state", "known_hosts")
	pins, err := os.ReadFile(file)
	if err != nil {
		a.Fatal(err)
	}
	var out bytes.Buffer
	for line := range bytes.Lines(pins) {
		_, names, key, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil {
			a.Fatal(err)
		}
		if names[0] == knownhosts.Normalize(n.Host.Addr()) {
			line = bytes.Replace(line, bytes.TrimSpace(ssh.MarshalAuthorizedKey(key)), bytes.TrimSpace(ssh.MarshalAuthorizedKey(sshhost.NewKey().PublicKey())), 1)
		}
		out.Write(line)
	}
	writeFile(a.T, file, "%s", out.String())
}
