package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"z2mha/internal/world/home"
)

// TestPageFirstUse goes from an empty /data to a network whose stand-by has a copy of
// the data, with nothing but the mouse, a keyboard, and a paste on each host.
func TestPageFirstUse(t *testing.T) {
	b := simulated(t, machines(t)).start()
	a := b.addonWith("")
	p := a.open()
	p.says("h1", "No network is set up yet.")
	p.follow("main", "Set up the first host")
	p.says("#our-key", "Our public key")
	p.sees(`document.querySelectorAll("#setup details.kind").length >= 3`)
	key := read[string](p, `document.querySelector("#our-key").closest("section").querySelector("code").textContent`)
	if !strings.HasPrefix(key, "ssh-ed25519 ") {
		p.fail("the key is %q", key)
	}
	p.press("#setup", "Zigbee2MQTT in Docker: Zigbee2MQTT runs here now", `document.querySelectorAll("#setup details.kind[open]").length === 1`)
	p.says("#setup details.kind[open] code", strings.Fields(key)[1])

	// The host does not know our key yet, and the page says so at the field.
	p.fillIn(a.home.Attic)
	p.press("#setup-step", "Look at this host", contains("#setup-step", "does not let root in with our key"))
	for _, n := range a.home.Nodes() {
		writeFile(t, filepath.Join(n.Dir, pasted), "%s\n", key)
	}
	p.adds(a.home.Attic, "waits for the second node")
	p.follow("#setup-step", "Add a host")
	p.sees(`document.querySelector("#field-network").value === "home"`)
	p.adds(a.home.Cellar, "belongs to the network home now")

	yaml, err := os.ReadFile(filepath.Join(a.data, "z2mha.yaml"))
	if err != nil || !strings.Contains(string(yaml), "container: zigbee2mqtt") {
		t.Errorf("z2mha.yaml: %v\n%s", err, yaml)
	}
	p.follow("#setup-step", "Overview")
	p.isActive(a.home.Attic)
	p.moveIsOffered(a.home.Cellar)
	p.press(".hero", "Make ready …", opened)
	p.press("dialog .panel-foot", "Make ready", `!`+opened)
	p.says(".run .chip", "Completed")
	p.says("h1", "Partly protected") // nothing could cut the power of a host that is lost
	p.says("main", "nothing can make sure that its stick is silent")
	a.lampAnswersThrough(a.home.Attic)
	a.mediumIsClean()
	a.logKeepsSecrets()
}

// fillIn writes into the form what a person knows of a host.
func (p *tab) fillIn(n *home.Node) {
	p.Helper()
	host, port, err := net.SplitHostPort(n.Host.Addr())
	if err != nil {
		p.Fatal(err)
	}
	for name, value := range map[string]string{"node": n.Name, "host": host, "port": port, "user": "root"} {
		p.do(script(fmt.Sprintf(`document.querySelector("#field-%s").select()`, name)),
			chromedp.SendKeys(chromedp.CSS("#field-"+name), value))
	}
	p.do(script(`document.querySelector("#field-become").value = "none"`))
}

// adds goes through look, choice, review and save.
func (p *tab) adds(n *home.Node, ends string) {
	p.Helper()
	p.fillIn(n)
	p.press("#setup-step", "Look at this host", contains("#setup-step h3", "What was found on "+n.Name))
	p.says("#setup-step .choice", "Docker: zigbee2mqtt")
	p.says("#setup-step .choice", "supported: a stick with Z-Stack 3.x")
	p.sees(`["service", "data", "stick"].every((n) => document.querySelector("#setup-step input[name=" + n + "]:checked"))`)
	p.press("#setup-step", "Go on", contains("#setup-step h3", "Add "+n.Name+" to the network home?"))
	p.says("#setup-step .yaml", "dongle: /dev/serial/by-id/"+stickOf(n.Name))
	p.press("#setup-step", "Write it", contains("#setup-step", ends))
}
