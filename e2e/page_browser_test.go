package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is the one browser of all tests, started by the first that needs it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	dir  string
	err  error
}

// endChromium waits for the browser to end, if there is one.
func endChromium() {
	if chromium.ctx == nil {
		return
	}
	_ = chromedp.Cancel(chromium.ctx) // nothing is left to do about it
	os.RemoveAll(chromium.dir)
}

func startChromium(path string) {
	if chromium.dir, chromium.err = os.MkdirTemp("", "z2mha-chromium-"); chromium.err != nil {
		return
	}
	ctx, _ := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions( // endChromium cancels
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(chromium.dir), chromedp.WSURLReadTimeout(time.Minute)))
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
}

// A tab is a window of its own, without the cookies of others. It notes whatever the
// browser complains about, and every request to a place that is not the page's.
type tab struct {
	*testing.T
	ctx  context.Context
	home string // the page; nothing may be asked for that does not begin with it

	mu      sync.Mutex // guards what follows
	allowed []string
	noted   []string
	answers []arrival
	sizes   map[network.RequestID]int64 // over the wire, of answers that have ended
}

// policyWatch tells of violations of the page's policy, which a page may swallow.
const policyWatch = `document.addEventListener("securitypolicyviolation",
	(e) => window.policyViolated(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber))`

// open opens the page in a new window of 1440 px.
func (a *addon) open() *tab {
	a.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(a.T, "chromium", installTools)
	}
	chromium.once.Do(func() { startChromium(path) })
	if chromium.err != nil {
		a.Fatalf("start chromium: %v", chromium.err)
	}
	p := &tab{T: a.T, home: a.url, sizes: map[network.RequestID]int64{}}
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	a.Cleanup(func() {
		p.judge()
		_ = chromedp.Cancel(ctx) // the tab may have crashed, which was told before
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil { // the window lives as long as this context
		a.Fatalf("open a window: %v", err)
	}
	p.do(command(cdpruntime.AddBinding.Method, cdpruntime.AddBindingParams{Name: "policyViolated"}),
		command(page.AddScriptToEvaluateOnNewDocument.Method, page.AddScriptToEvaluateOnNewDocumentParams{Source: policyWatch}),
		chromedp.EmulateViewport(1440, 900),
		chromedp.Navigate(a.url))
	p.sees(`document.querySelector("#overview") && window.htmx`)
	return p
}

func command(method string, params any) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error { return target.Call(ctx, method, params, nil) })
}

// hear notes what the browser tells. It runs beside the test.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		p.noted = append(p.noted, fmt.Sprint("uncaught: ", e.ExceptionDetails.Text, " ", e.ExceptionDetails.Exception))
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			p.noted = append(p.noted, fmt.Sprintf("console.%s: %s", e.Type, texts(e.Args)))
		}
	case *cdpruntime.EventBindingCalled:
		p.noted = append(p.noted, "policy violated: "+e.Payload)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning || e.Entry.Source == log.EntrySourceSecurity {
			p.noted = append(p.noted, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, p.home) && !strings.HasPrefix(u, "data:") {
			p.noted = append(p.noted, "request elsewhere: "+u)
		}
	case *network.EventResponseReceived:
		p.answers = append(p.answers, arrival{e.Response, e.RequestID})
	case *network.EventLoadingFinished:
		p.sizes[e.RequestID] = int64(e.EncodedDataLength)
	}
}

func texts(args []*cdpruntime.RemoteObject) string {
	var out []string
	for _, a := range args {
		out = append(out, fmt.Sprint(string(a.Value), a.Description))
	}
	return strings.Join(out, " ")
}

// allows names complaints that the test brings about itself: a browser tells of every
// answer that is a refusal.
func (p *tab) allows(text ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, text...)
}

// judge fails the test for what was noted.
func (p *tab) judge() {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
noted:
	for _, n := range p.noted {
		for _, a := range p.allowed {
			if strings.Contains(n, a) {
				continue noted
			}
		}
		p.Errorf("the browser complains: %s", n)
	}
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail("%v", err)
	}
}

// read evaluates JavaScript on the page.
func read[T any](p *tab, expression string) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.fail("%s: %v", expression, err)
	}
	return v
}

// sees waits until an expression of JavaScript is true. It asks from outside: the page's
// policy forbids evaluation inside.
func (p *tab) sees(expression string) {
	p.Helper()
	if err := p.until(expression, patience); err != nil {
		p.fail("never came true: %s (%v)", expression, err)
	}
}

func (p *tab) until(expression string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// says waits for a text within an element.
func (p *tab) says(selector, text string) {
	p.Helper()
	p.sees(contains(selector, text))
}

// contains is JavaScript: some element shows the text.
func contains(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].some((e) => e.textContent.replace(/\s+/g, " ").includes(%s))`, quoted(selector), quoted(text))
}

func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s)
	}
	return string(raw)
}

// button is JavaScript: the visible button with that label within an element.
func button(within, label string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].flatMap((e) => [...e.querySelectorAll("button, a.button, summary")])
		.find((e) => e.checkVisibility() && e.textContent.trim() === %s)`, quoted(within), quoted(label))
}

// press moves the mouse to a button and clicks, until the page shows what comes of it:
// the page lives, and what was under the hand a moment ago may have moved on.
func (p *tab) press(within, label, then string) {
	p.Helper()
	it := button(within, label)
	p.sees(fmt.Sprintf(`(() => { const e = %s; return e && !e.disabled })()`, it))
	for end := time.Now().Add(patience); ; {
		p.click(it)
		err := p.until(then, 5*time.Second)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			p.fail("pressing %q did not lead to %s", label, then)
		}
	}
}

// click does nothing while there is no such element, or something lies over it.
func (p *tab) click(element string) {
	p.Helper()
	at := read[[]float64](p, fmt.Sprintf(`(() => {
		const e = %s;
		if (!e || e.disabled) return [];
		e.scrollIntoView({ block: "nearest", behavior: "instant" });
		const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
		const top = document.elementFromPoint(x, y);
		return top && (e.contains(top) || top.contains(e)) ? [x, y] : [];
	})()`, element))
	if len(at) == 2 {
		p.do(chromedp.MouseClickXY(at[0], at[1]))
	}
}

// follow clicks a link and waits for the page that it leads to.
func (p *tab) follow(within, label string) {
	p.Helper()
	link := fmt.Sprintf(`[...document.querySelectorAll(%s)].flatMap((e) => [...e.querySelectorAll("a")]).find((e) => e.textContent.trim() === %s)`,
		quoted(within), quoted(label))
	p.do(script(`window.left = false`))
	p.sees(link)
	p.click(link)
	p.sees(`window.left === undefined && document.readyState === "complete"`)
}

// script runs statements of JavaScript on the page.
func script(statements string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool]("(() => {"+statements+"; return true})()")(ctx, target)
		return err
	})
}

// dark and size are how a person looks at the page.
func (p *tab) dark(on bool) {
	p.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	p.do(command(emulation.SetEmulatedMedia.Method, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

func (p *tab) size(width, height int64) {
	p.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// fail ends the test with what the page shows.
func (p *tab) fail(format string, args ...any) {
	p.Helper()
	p.Logf("the page shows:\n%s", p.text())
	if file, err := p.shoot("failed.png"); err == nil {
		p.Logf("screenshot: %s", file)
	}
	p.Fatalf(format, args...)
}

// text is what a reader sees, and reader alone.
func (p *tab) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("#reconnecting:not([hidden]), main, dialog")].map((e) => e.innerText).join("\n---\n")`))
	if err != nil {
		return err.Error()
	}
	return text
}

func (p *tab) shoot(name string) (file string, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return "", err
	}
	file = filepath.Join(artifacts(p.T), name)
	return file, os.WriteFile(file, png, 0o644)
}
