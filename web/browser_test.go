package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/log"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"z2mha/web"
	"z2mha/web/storybook"
)

const below = "/api/hassio_ingress/token/"

// policy is that of internal/dash.
const policy = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'self'; frame-ancestors 'self'"

// A site serves one overview below a path, as the program behind Home Assistant does.
type site struct {
	*httptest.Server
	mu       sync.Mutex
	overview web.Overview
	changed  chan struct{}
	down     bool // a proxy answers for us
	refused  bool // the stream is not let through
	held     bool // the stream is let through, and what is in it is not
	preview  func() (int, templ.Component)
	ask      func() (int, templ.Component)
	asked    map[string]string
}

func newSite(t *testing.T, o web.Overview) *site {
	s := &site{overview: o, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+below+"{$}", func(w http.ResponseWriter, _ *http.Request) {
		page := storybook.Page("Overview")
		page.Base, page.Now = below, time.Now()
		s.draw(w, http.StatusOK, web.OverviewPage(page, s.now()))
	})
	mux.HandleFunc("GET "+below+"overview", func(w http.ResponseWriter, _ *http.Request) { s.draw(w, 200, web.OverviewPart(s.now())) })
	mux.HandleFunc("GET "+below+"events", s.events)
	mux.HandleFunc("POST "+below+"preview", func(w http.ResponseWriter, r *http.Request) {
		preview, _ := s.note(r)
		status, part := preview()
		s.draw(w, status, part)
	})
	mux.HandleFunc("POST "+below+"ask", func(w http.ResponseWriter, r *http.Request) {
		_, ask := s.note(r)
		status, part := ask()
		s.draw(w, status, part)
	})
	mux.HandleFunc("GET "+below+"assets/{file}", func(w http.ResponseWriter, r *http.Request) {
		a, ok := web.Assets.Open("assets/" + r.PathValue("file"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", a.Type)
		_, _ = w.Write(a.Content)
	})
	mux.HandleFunc("GET /parent", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!DOCTYPE html><html style="--primary-background-color:#111111;--card-background-color:#1c1c1c;--primary-text-color:#e1e1e1;--secondary-text-color:#9b9b9b;--primary-color:#7cb342"><head><link rel="icon" href="data:,"></head><body><iframe src="`+below+`" width="800" height="800"></iframe></body></html>`)
	})
	mux.HandleFunc("GET /story/{name}", s.story)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *site) now() web.Overview {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overview
}

func (s *site) set(change func(*site)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	close(s.changed)
	s.changed = make(chan struct{})
}

// note keeps what was sent and returns the answers for it.
func (s *site) note(r *http.Request) (preview, ask func() (int, templ.Component)) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = map[string]string{"HX-Request": r.Header.Get("HX-Request")}
	for name := range r.PostForm {
		s.asked[name] = r.PostForm.Get(name)
	}
	return s.preview, s.ask
}

func (s *site) sent(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

func (s *site) draw(w http.ResponseWriter, status int, c templ.Component) {
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	if down {
		http.Error(w, "502: Bad Gateway", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = c.Render(context.Background(), w)
}

func (s *site) events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuse, held := s.down || s.refused, s.held
	s.mu.Unlock()
	if refuse {
		http.Error(w, "502: Bad Gateway", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if held {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	for {
		s.mu.Lock()
		o, changed, down := s.overview, s.changed, s.down
		s.mu.Unlock()
		if down {
			return
		}
		var b strings.Builder
		_ = web.OverviewPart(o).Render(r.Context(), &b)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", web.EventOverview, strings.ReplaceAll(b.String(), "\n", "\ndata: "))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

func (s *site) story(w http.ResponseWriter, r *http.Request) {
	for _, story := range storybook.Stories() {
		if story.Name == r.PathValue("name") {
			var b strings.Builder
			_ = story.Component.Render(r.Context(), &b)
			html := strings.Replace(strings.Replace(b.String(), " data-live", "", 1), `<base href="/">`, `<base href="`+below+`">`, 1)
			s.draw(w, 200, templ.Raw(html))
			return
		}
	}
	http.NotFound(w, r)
}

// browse opens a browser and fails the test on whatever it complains about, except
// what allow names.
func browse(t *testing.T, allow ...string) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chromium: run make test-deps")
		}
		t.Skip("no chromium: run make test-deps")
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute)))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser to end
		cancel()
	})
	if err := chromedp.Listen(ctx, func(event any) { complain(t, event, allow) }); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// complain fails the test on an error that the browser tells of.
func complain(t *testing.T, event any, allow []string) {
	text := ""
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		text = fmt.Sprint(e.ExceptionDetails.Text, " ", e.ExceptionDetails.Exception)
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == "error" {
			text = fmt.Sprint("console: ", e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			text = e.Entry.Text
		}
	}
	for _, a := range allow {
		if strings.Contains(text, a) {
			return
		}
	}
	if text != "" {
		t.Error("browser: " + text)
	}
}

type action = chromedp.Action[chromedp.Void]

func run(t *testing.T, ctx context.Context, steps ...action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// until waits for an expression of JavaScript to become true. It asks from outside: the
// page's policy forbids chromedp.Poll.
func until(expression string) action {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		ask := chromedp.Evaluate[bool]("Boolean(" + expression + ")")
		for end := time.Now().Add(40 * time.Second); ; {
			ok, err := ask(ctx, target)
			if ok {
				return nil
			}
			if time.Now().After(end) {
				return errors.Join(fmt.Errorf("never came true: %s", expression), err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(30 * time.Millisecond):
			}
		}
	})
}

// script runs JavaScript on the page.
func script(statements string) action { return until("(() => {" + statements + "; return true})()") }

func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func home() web.Overview {
	network := storybook.Home()
	return web.Overview{CanAct: true, Networks: []web.Network{network}}
}

func TestLiveOverview(t *testing.T) {
	s := newSite(t, home())
	ctx := browse(t)
	run(t, ctx, chromedp.Navigate(s.URL+below),
		until(`document.querySelector("time[data-age]").textContent.includes("ago") || document.querySelector("time[data-age]").textContent === "just now"`),
		script(`document.querySelector("details").open = true; document.querySelector(".node").mine = true;
			document.querySelector(".node [type=submit]:enabled").focus()`))
	s.set(func(s *site) {
		n := storybook.Home()
		n.Heading, n.Tone = "On hold.", web.ToneHeld
		n.Nodes[0].Role = "Silenced"
		n.Reasons = []web.Reason{{What: "A new line above."}}
		n.Events = append([]web.Event{{At: time.Now(), Text: "News", State: web.LightUnknown}}, n.Events...)
		s.overview.Networks = []web.Network{n}
	})
	run(t, ctx, until(`document.querySelector("h1").textContent === "On hold."`),
		until(`document.querySelector("details").open`),
		until(`document.querySelector(".node").mine === true`),
		until(`document.querySelector(".node .chip").textContent.includes("Silenced")`),
		until(`document.activeElement.closest(".node") !== null`),
		until(`document.querySelectorAll(".events li").length === 6 && document.querySelector(".events .what").textContent === "News"`),
		until(`document.getElementById("reconnecting").hidden`))
}

func TestPollWithoutStream(t *testing.T) {
	for name, spoil := range map[string]func(*site){
		"it is refused":   func(s *site) { s.refused = true },
		"it is held back": func(s *site) { s.held = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, home())
			s.set(spoil)
			ctx := browse(t, "502")
			run(t, ctx, chromedp.Navigate(s.URL+below), chromedp.WaitVisible(chromedp.CSS("h1")))
			s.set(func(s *site) { s.overview.Networks = nil })
			run(t, ctx, until(`document.querySelector("h1").textContent === "No network is set up yet."`),
				until(`document.getElementById("reconnecting").hidden`))
		})
	}
}

func TestReconnecting(t *testing.T) {
	s := newSite(t, home())
	ctx := browse(t, "502", "ERR_")
	run(t, ctx, chromedp.Navigate(s.URL+below), chromedp.WaitVisible(chromedp.CSS("h1")), until(`document.getElementById("reconnecting").hidden`))
	s.set(func(s *site) { s.down = true })
	run(t, ctx, until(`!document.getElementById("reconnecting").hidden`), until(`document.querySelector("h1").textContent.startsWith("Protected")`))
	s.set(func(s *site) { s.down = false })
	run(t, ctx, until(`document.getElementById("reconnecting").hidden`))
}

func TestPreviewAndAsk(t *testing.T) {
	needHTMX(t)
	s := newSite(t, home())
	s.set(func(s *site) {
		s.preview = func() (int, templ.Component) { return 200, web.PreviewDialog(storybook.Stop()) }
		s.ask = func() (int, templ.Component) {
			return http.StatusConflict, web.FailurePart(web.Failure{What: "Stop attic", Why: "a plan is being carried out."})
		}
	})
	ctx := browse(t, "409")
	run(t, ctx, chromedp.Navigate(s.URL+below), chromedp.Click(chromedp.CSS(".button.danger")), chromedp.WaitVisible(chromedp.CSS("dialog[open]")),
		until(`document.querySelector("dialog").matches(":modal") && document.activeElement.id === "dialog-title"`),
		until(`document.querySelector(".panel-foot [type=submit]").disabled`))
	for name, want := range map[string]string{"network": "home", "verb": "stop", "to": "attic", "HX-Request": "true"} {
		if got := s.sent(name); got != want {
			t.Errorf("the button sent %s %q, want %q", name, got, want)
		}
	}
	run(t, ctx, chromedp.SendKeys(chromedp.CSS("[data-word]"), "attic"), until(`!document.querySelector(".panel-foot [type=submit]").disabled`),
		chromedp.Click(chromedp.CSS(".panel-foot [type=submit]")), until(`document.querySelector("dialog [role=alert]").textContent.includes("carried out")`))
	if got := s.sent("confirm"); got != "attic" {
		t.Errorf("the form sent confirm %q", got)
	}
	s.set(func(s *site) { s.ask = s.stopping })
	run(t, ctx, chromedp.Click(chromedp.CSS(".panel-foot [type=submit]")), until(`!document.querySelector("dialog")`),
		until(`document.activeElement.textContent === "Stopping attic"`))
}

// A person, or a slow browser, may press a button before HTMX has taken its form over.
func TestAskAtOnce(t *testing.T) {
	needHTMX(t)
	s := newSite(t, home())
	s.set(func(s *site) {
		s.preview = func() (int, templ.Component) {
			return 200, web.PreviewDialog(web.Preview{Title: "Sync?", Confirm: web.Confirm{Label: "Sync now"}})
		}
		s.ask = s.stopping
	})
	ctx := browse(t)
	run(t, ctx, chromedp.Navigate(s.URL+below), until(`window.htmx && document.readyState === "complete"`),
		script(`document.addEventListener("htmx:afterSwap", (e) => {
			if (e.detail.target.id === "dialog") document.querySelector(".panel-foot [type=submit]").click() })`),
		chromedp.Click(chromedp.CSS(".hero .button")), until(`document.querySelector("[data-run]")`))
	if got := s.sent("HX-Request"); got != "true" {
		t.Errorf("the form was sent with HX-Request %q", got)
	}
}

// stopping answers as if a plan had begun.
func (s *site) stopping() (int, templ.Component) {
	s.set(func(s *site) {
		n := storybook.Home()
		n.Run = &web.Run{ID: "1", Title: "Stopping attic", State: web.RunGoing, Began: time.Now()}
		s.overview.Networks = []web.Network{n}
	})
	return http.StatusAccepted, web.OverviewPart(s.now())
}

func TestRefusedPreview(t *testing.T) {
	needHTMX(t)
	s := newSite(t, home())
	s.set(func(s *site) {
		s.preview = func() (int, templ.Component) {
			return http.StatusConflict, web.FailureDialog(web.Failure{What: "Sync", Why: "the network is on hold."})
		}
	})
	ctx := browse(t, "409")
	run(t, ctx, chromedp.Navigate(s.URL+below), chromedp.Click(chromedp.CSS(".hero .button")), chromedp.WaitVisible(chromedp.CSS("dialog[open]")),
		until(`document.querySelector("dialog [role=alert]").textContent.includes("on hold")`),
		chromedp.Click(chromedp.CSS(".panel-foot [data-close]")), until(`!document.querySelector("dialog")`),
		until(`document.activeElement.closest(".hero") !== null`))
}

func TestThemeOfParent(t *testing.T) {
	s := newSite(t, home())
	ctx := browse(t)
	const inside = `document.querySelector("iframe").contentDocument.documentElement`
	run(t, ctx, chromedp.Navigate(s.URL+"/parent"), until(inside+`.dataset.theme === "dark"`),
		until(`getComputedStyle(`+inside+`).getPropertyValue("--primary") === "rgb(124 179 66)"`),
		script(`document.documentElement.style.setProperty("--primary-background-color", "#fafafa");
			document.documentElement.style.setProperty("--card-background-color", "#fff")`),
		until(inside+`.dataset.theme === "light"`))
}

// No story needs a horizontal scroll bar, and what is pressed is big enough.
func TestNarrow(t *testing.T) {
	s := newSite(t, home())
	ctx := browse(t)
	for _, story := range storybook.Stories() {
		if story.Place != storybook.PlacePage {
			continue
		}
		for _, width := range []int64{360, 768, 1440} {
			run(t, ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.URL+"/story/"+story.Name))
			wide := evaluate[bool](t, ctx, `document.documentElement.scrollWidth > document.documentElement.clientWidth`)
			small := evaluate[[]string](t, ctx, `[...document.querySelectorAll("main button, nav a, summary, .choice, input:not([type=hidden]):not([type=radio]), select")]
				.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44).map((e) => e.outerHTML.slice(0, 80))`)
			if wide {
				t.Errorf("%s scrolls sideways at %d px", story.Name, width)
			}
			if len(small) > 0 {
				t.Errorf("%s at %d px: less than 44 px high: %v", story.Name, width, small)
			}
		}
	}
}

func needHTMX(t *testing.T) {
	t.Helper()
	if web.HasHTMX() {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no HTMX: run scripts/fetch-assets.sh")
	}
	t.Skip("no HTMX: run scripts/fetch-assets.sh")
}
