package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"z2mha/internal/world/home"
)

// TestPagePicture takes the picture of the README, into the file that Z2MHA_PICTURE
// names: a protected network, just moved.
func TestPagePicture(t *testing.T) {
	file := os.Getenv("Z2MHA_PICTURE")
	if file == "" {
		return // no picture is wanted; make screenshot takes one
	}
	b := simulated(t, machines(t)).start()
	a := b.addonWith(b.twoMachines())
	p := a.open()
	p.moves(a.home.Cellar)
	p.moves(a.home.Attic)
	p.says("h1", "Protected")
	p.size(1200, 1000)
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d kB", file, len(png)/1000)
}

// moves moves the network with the mouse.
func (p *tab) moves(to *home.Node) {
	p.Helper()
	p.moveIsOffered(to)
	p.press(".hero", "Switch over to "+to.Name, opened)
	p.press("dialog .panel-foot", "Move the network", contains("[data-run]", "to "+to.Name))
	p.isActive(to)
	p.says(".run .chip", "Completed")
}

// twoMachines is the home's configuration as it is for machines.
func (b *bench) twoMachines() string {
	var nodes strings.Builder
	for _, n := range b.home.Nodes() {
		fmt.Fprintf(&nodes, `      - name: %s
        host: %s
        user: root
        become: none
        key_file: %s/controller/id_ed25519
        dongle: /dev/serial/by-id/%s
        data: %s
        service: docker
        container: zigbee2mqtt
`, n.Name, n.Host.Addr(), b.home.Dir, stickOf(n.Name), n.Data)
	}
	return "networks:\n  - name: home\n    nodes:\n" + nodes.String() + "timing: {settle: 200ms, watch: 3s}\n"
}
