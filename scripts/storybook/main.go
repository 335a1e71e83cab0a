// Storybook shows every state of every component of the page, on loopback:
// go run ./scripts/storybook [-listen 127.0.0.1:8098]
package main

import (
	"bytes"
	"context"
	"embed"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"z2mha/web"
	"z2mha/web/storybook"
)

//go:embed index.html frame.html frame.css frame.js
var files embed.FS

var pages = template.Must(template.ParseFS(files, "*.html"))

func main() {
	listen := flag.String("listen", "127.0.0.1:8098", "loopback address to listen on")
	flag.Parse()
	if err := serve(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "storybook:", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address", host)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server := &http.Server{Handler: routes(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("http://%s\n", l.Addr())
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { draw(w, "index.html", storybook.Stories()) })
	mux.HandleFunc("GET /frame/{name}", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		width := q.Get("width")
		if width != "360" && width != "768" {
			width = "1440"
		}
		draw(w, "frame.html", map[string]any{"Name": r.PathValue("name"), "Width": width, "Dark": q.Get("theme") == "dark"})
	})
	mux.HandleFunc("GET /story/{name}", story)
	mux.HandleFunc("GET /assets/{file}", asset)
	mux.Handle("GET /own/", http.StripPrefix("/own/", http.FileServerFS(files)))
	return mux
}

func draw(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		log.Println(err)
	}
}

func asset(w http.ResponseWriter, r *http.Request) {
	a, ok := web.Assets.Open("assets/" + r.PathValue("file"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.Type)
	if _, err := w.Write(a.Content); err != nil {
		log.Println(err)
	}
}

// policy is that of the real page.
const policy = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'self'; frame-ancestors 'self'"

func story(w http.ResponseWriter, r *http.Request) {
	for _, s := range storybook.Stories() {
		if s.Name != r.PathValue("name") {
			continue
		}
		html, err := whole(r.Context(), s)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if _, err := w.Write([]byte(html)); err != nil {
			log.Println(err)
		}
		return
	}
	http.NotFound(w, r)
}

// whole puts a part where it belongs, on a page that does not ask for news.
func whole(ctx context.Context, s storybook.Story) (string, error) {
	html, err := render(ctx, s)
	if err != nil {
		return "", err
	}
	switch s.Place {
	case storybook.PlaceDialog:
		html, err = within(ctx, "overview-protected", `<div id="dialog">`+html+`</div>`, `<div id="dialog">`, `</div>`)
	case storybook.PlaceStep:
		html, err = within(ctx, "setup-first", html, `<form id="setup-step"`, `</form>`)
	case storybook.PlaceNodes:
		html, err = within(ctx, "setup-another", html+`</section>`, `<div id="node-step">`, `</section>`)
	case storybook.PlacePage:
	}
	html = strings.Replace(html, " data-live", "", 1)
	return strings.Replace(html, "</body>", `<script src="own/frame.js"></script></body>`, 1), err
}

func within(ctx context.Context, page, part, from, to string) (string, error) {
	for _, s := range storybook.Stories() {
		if s.Name != page {
			continue
		}
		html, err := render(ctx, s)
		before, rest, _ := strings.Cut(html, from)
		_, after, _ := strings.Cut(rest, to)
		return before + part + after, err
	}
	return part, nil
}

func render(ctx context.Context, s storybook.Story) (string, error) {
	var out bytes.Buffer
	err := s.Component.Render(ctx, &out)
	return out.String(), err
}
