package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"z2mha/internal/world/home"
)

// opened is JavaScript: a dialog is open.
const opened = `document.querySelector("dialog[open]")`

// isActive waits for the page to say that n, and no other, is active.
func (p *tab) isActive(n *home.Node) {
	p.Helper()
	p.says(fmt.Sprintf(`article.node.serving[data-key=%q]`, n.Name), "Active")
	p.sees(`document.querySelectorAll("article.node.serving").length === 1`)
}

// moveIsOffered waits for the first look at the hosts, and that a move is possible.
func (p *tab) moveIsOffered(to *home.Node) {
	p.Helper()
	p.sees(`!(` + button(".hero", "Switch over to "+to.Name) + `?.disabled ?? true)`)
}

// TestPageSwitchover moves the network with the mouse, with a reload in the middle, and
// back with the button that Home Assistant has.
func TestPageSwitchover(t *testing.T) {
	a := simulated(t).start().addon()
	attic, cellar := a.home.Attic, a.home.Cellar
	p := a.open()
	p.isActive(attic)

	p.press(".hero", "Switch over to cellar", opened)
	p.says("dialog h2", "Move the network to cellar?")
	p.says("dialog", "Your home has no Zigbee for about")
	p.sees(`document.querySelectorAll("dialog .plan > li").length > 10`)
	p.says("dialog .plan", "Write the memory onto the stick of cellar, with raised counters")
	p.press("dialog .plan > li:last-child", "Exact commands", `document.querySelector("dialog details[open] pre")`)

	clicked := time.Now()
	p.press("dialog .panel-foot", "Move the network", `document.querySelector("[data-run]")`)
	p.says("[data-run]", "Moving the network from attic to cellar")
	p.sees(`document.querySelector(".run .step-done .evidence")`)
	p.says(".run", "Your home has no Zigbee right now")
	done := read[int](p, `document.querySelectorAll(".run .step-done").length`)

	p.do(chromedp.Reload())
	p.sees(`document.querySelectorAll(".run .step-done").length >= ` + fmt.Sprint(done))
	p.says(".run .chip", "In progress")
	p.says(".run", "by Owner on the page")
	p.size(360, 740)
	p.doesNotScrollSideways("a plan under way")
	p.size(1440, 900)

	p.says(".run .chip", "Completed")
	p.isActive(cellar)
	a.lampAnswersThrough(cellar)
	for _, o := range a.watch.Outages() {
		t.Logf("from click to lamp: %.1f s, of which it was out of reach for %.1f s", o.FirstNew.Sub(clicked).Seconds(), o.Unanswered.Seconds())
	}
	p.says(".run", "The network runs on cellar.")
	p.press(".run", "Steps ("+read[string](p, `String(document.querySelectorAll(".run .steps > li").length)`)+")", `document.querySelector(".run details[open]")`)
	p.says(".run .evidence", "living room lamp answered")
	p.says(".events", "The network moved from attic to cellar")

	a.publish("z2mha/home/cmd/switchover", "PRESS")
	p.says("[data-run]", "Moving the network from cellar to attic")
	p.isActive(attic)
	a.lampAnswersThrough(attic)
	p.says(".events", "The network moved from cellar to attic")
	p.says(".facts", "cellar → attic")

	a.mediumIsClean()
	a.end()
	a.logKeepsSecrets()
	p.keepsSecrets(a)
	p.allows("502", "ERR_") // the program has ended
}

// TestPageHold: while a network is on hold nothing is done, whoever asks and however.
func TestPageHold(t *testing.T) {
	a := simulated(t).start().addon()
	p, other := a.open(), a.open()
	p.moveIsOffered(a.home.Cellar)
	p.press(".hero", "Switch over to cellar", opened)

	other.press(".hero", "Hold", opened)
	other.says("dialog", "nothing is done until you release it")
	other.press("dialog .panel-foot", "Hold", contains("h1", "On hold"))
	other.says(".why", "The network is on hold: release it first.")
	other.sees(button(".hero", "Switch over to cellar") + `.disabled`)

	p.says("h1", "On hold")
	p.allows("409")
	p.press("dialog .panel-foot", "Move the network", `document.querySelector("dialog [role=alert]")`)
	p.says("dialog [role=alert]", "on hold")
	p.press("dialog .panel-foot", "Cancel", `!`+opened)

	a.publish("z2mha/home/cmd/switchover", "PRESS")
	p.says(".events", "on hold")
	p.isActive(a.home.Attic)
	p.sees(`!document.querySelector("[data-run]")`)
	a.lampAnswersThrough(a.home.Attic)

	p.press(".hero", "Release", opened)
	p.press("dialog .panel-foot", "Release", `!`+contains("h1", "On hold"))
	other.moveIsOffered(a.home.Cellar)
	a.mediumIsClean()
}

// TestPageStop stops the active node, for which its name must be typed, and starts it
// again.
func TestPageStop(t *testing.T) {
	a := simulated(t).start().addon()
	attic := a.home.Attic
	p := a.open()
	p.isActive(attic)

	p.press("[data-key=attic]", "Stop …", opened)
	p.says("dialog", "Your home has no Zigbee from then on")
	off := `((e) => e.disabled && getComputedStyle(e).backgroundColor === "rgba(0, 0, 0, 0)")(` + button("dialog", "Stop attic") + `)`
	p.sees(off)
	p.do(chromedp.SendKeys(chromedp.CSS("[data-word]"), "cellar"))
	p.sees(off)
	p.do(script(`document.querySelector("[data-word]").select()`), chromedp.SendKeys(chromedp.CSS("[data-word]"), "attic"))
	p.press("dialog", "Stop attic", `document.querySelector("[data-run]")`)
	p.says(".run .chip", "Completed")
	p.sees(`!document.querySelector("article.node.serving")`)
	p.says("h1", "Not protected")
	if on := a.home.OnAir(); on != "" {
		t.Errorf("on air: %s, want nobody", on)
	}

	p.press(".hero", "Start attic again", opened)
	p.press("dialog .panel-foot", "Start attic", contains("[data-run]", "Starting Zigbee2MQTT on attic again"))
	p.isActive(attic)
	a.lampAnswersThrough(attic)
	p.says(".run .chip", "Completed")
	a.mediumIsClean()
}

// TestPageReadOnly: who does not administrate Home Assistant sees everything and does
// nothing, and who comes past ingress sees nothing.
func TestPageReadOnly(t *testing.T) {
	a := simulated(t).start().addon()
	a.proxy.SetUser(onlooker)
	p := a.open()
	p.isActive(a.home.Attic)
	p.says(".foot", "Signed in as "+onlooker.DisplayName)
	p.says(".notice", "You may look, but not act")
	p.sees(`!document.querySelector("main button")`)

	p.allows("403")
	const ask = `fetch("ask", {method: "POST", headers: {"HX-Request": "true"}, body: new URLSearchParams({network: "home", verb: "switchover", to: "cellar"})})`
	p.do(script(`window.said = null; ` + ask + `.then(async (r) => { window.said = r.status + " " + await r.text() })`))
	p.sees(`window.said`)
	if said := read[string](p, `window.said`); !strings.HasPrefix(said, "403 ") || !strings.Contains(said, "administrators") {
		p.fail("a request of Guest was answered %s", said)
	}
	p.follow("nav", "Add a host")
	p.says("#setup", "You can only look here")
	p.sees(`!document.querySelector("#setup form")`)
	a.lampAnswersThrough(a.home.Attic)

	if status, text := a.get("/"); status != http.StatusForbidden || !strings.Contains(text, "only through Home Assistant") {
		t.Errorf("past ingress the page answers %d %s", status, text)
	}
	if status, text := a.get("/healthz"); status != http.StatusOK || text != "ok" {
		t.Errorf("healthz answers %d %q", status, text)
	}
}

// TestPageBehindOldCore: a proxy that holds streams back for ever costs some seconds, and
// nothing else.
func TestPageBehindOldCore(t *testing.T) {
	a := simulated(t).start().addon()
	a.proxy.HoldStreams(true)
	p := a.open()
	p.isActive(a.home.Attic)
	p.moveIsOffered(a.home.Cellar)
	a.publish("z2mha/home/cmd/switchover", "PRESS")
	p.isActive(a.home.Cellar)
	p.sees(`document.getElementById("reconnecting").hidden`)
	a.lampAnswersThrough(a.home.Cellar)
	a.mediumIsClean()
}

// TestPageReconnects: the page outlives the program.
func TestPageReconnects(t *testing.T) {
	a := simulated(t).start().addon()
	p := a.open()
	p.moveIsOffered(a.home.Cellar)
	p.do(script(`window.stays = true`))
	p.sees(`document.getElementById("reconnecting").hidden`)

	p.allows("502", "ERR_")
	a.end()
	p.sees(`document.getElementById("reconnecting").checkVisibility()`)
	p.says("#reconnecting", "What you see may be out of date")
	p.isActive(a.home.Attic)

	a.run()
	p.sees(`document.getElementById("reconnecting").hidden`)
	a.publish("z2mha/home/cmd/hold", "ON")
	p.says("h1", "On hold")
	p.sees(`window.stays`)
	a.lampAnswersThrough(a.home.Attic)
}

// TestPageLooks at the pages as people have them: narrow and wide, light and dark, below
// a path, and without the charset that a proxy drops.
func TestPageLooks(t *testing.T) {
	a := simulated(t).start().addon()
	p := a.open()
	p.moveIsOffered(a.home.Cellar)
	p.arrivedThroughIngress(a)
	p.everyLook("the overview")
	p.press(".hero", "Switch over to cellar", opened)
	p.everyLook("the dialog")
	p.press("dialog .panel-foot", "Cancel", `!`+opened)
	p.follow("nav", "Add a host")
	p.says("#our-key", "Our public key")
	p.everyLook("the set-up")
	p.do(chromedp.Navigate(a.url + "nowhere"))
	p.allows("404")
	p.says("#failure", "Back to the overview")
	p.everyLook("an unknown address")
	p.follow("#failure", "Back to the overview")
	p.isActive(a.home.Attic)
}

// arrivedThroughIngress makes sure that the proxy was as unkind as the real one, and the
// page good enough.
func (p *tab) arrivedThroughIngress(a *addon) {
	p.Helper()
	p.sees(`document.baseURI === ` + quoted(a.url))
	p.sees(`document.characterSet === "UTF-8"`)
	p.mu.Lock()
	defer p.mu.Unlock()
	streams := 0
	for _, answer := range p.answers {
		header := func(name string) string { return fmt.Sprint(answer.Headers[name]) }
		if strings.HasSuffix(answer.URL, "/events") {
			streams++
			continue
		}
		if answer.URL == a.url {
			if kind := header("Content-Type"); kind != "text/html" {
				p.Errorf("the page came as %q, want it without a charset", kind)
			}
			if policy := header("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				p.Errorf("policy of the page: %q", policy)
			}
		}
	}
	if streams == 0 {
		p.Error("the page opened no stream")
	}
}

// everyLook checks narrow and wide, light and dark.
func (p *tab) everyLook(what string) {
	p.Helper()
	for _, width := range []int64{360, 1440} {
		p.size(width, 900)
		p.doesNotScrollSideways(what)
	}
	var bright [2]float64
	for i, on := range []bool{false, true} {
		p.dark(on)
		p.sees(fmt.Sprintf(`matchMedia("(prefers-color-scheme: dark)").matches === %t`, on))
		bright[i] = read[float64](p, `(() => {
			const c = document.createElement("canvas").getContext("2d");
			c.fillStyle = getComputedStyle(document.querySelector("dialog[open]") || document.body).backgroundColor;
			c.fillRect(0, 0, 1, 1);
			return c.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((a, b) => a + b) / 765 })()`)
	}
	if bright[0] < 0.8 || bright[1] > 0.3 {
		p.Errorf("%s: the ground is %.2f bright in light and %.2f in dark", what, bright[0], bright[1])
	}
	p.dark(false)
}

func (p *tab) doesNotScrollSideways(what string) {
	p.Helper()
	wide := read[[]int](p, `[document.documentElement.scrollWidth, document.documentElement.clientWidth]`)
	if wide[0] > wide[1] {
		p.Errorf("%s is %d px wide in a window of %d", what, wide[0], wide[1])
	}
}

// keepsSecrets looks through the page.
func (p *tab) keepsSecrets(a *addon) {
	p.Helper()
	a.keepsSecrets(read[string](p, `document.documentElement.outerHTML`))
}
