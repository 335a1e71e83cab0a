package web_test

import (
	"regexp"
	"strings"
	"testing"

	"z2mha/web"
)

func TestAssets(t *testing.T) {
	shape := regexp.MustCompile(`^assets/[a-z.]+\.[0-9a-f]{8}\.(css|js|svg)$`)
	types := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	for name, path := range web.Assets.Names() {
		m := shape.FindStringSubmatch(path)
		if m == nil {
			t.Errorf("%s has the path %q", name, path)
			continue
		}
		a, ok := web.Assets.Open(path)
		if !ok || a.Path != path || a.Type != types[m[1]] || len(a.Content) == 0 {
			t.Errorf("%s opens as %q of type %q, %d bytes, %v", path, a.Path, a.Type, len(a.Content), ok)
		}
	}
	for _, path := range []string{"", "assets/", "assets/app.css", "assets/app.00000000.css", "../web.go", "assets/../assets.go"} {
		if _, ok := web.Assets.Open(path); ok {
			t.Errorf("%q opens", path)
		}
	}
}

func TestMissingHTMX(t *testing.T) {
	if web.HasHTMX() != (web.Assets.Path("htmx.min.js") != "") {
		t.Error("HasHTMX and the assets disagree")
	}
	if web.Assets.Path("nothing.js") != "" {
		t.Error("an asset that is not there has a path")
	}
}

// The style sheet and our script bring nothing along from elsewhere and keep nothing.
func TestOwnAssets(t *testing.T) {
	css, js := asset(t, "app.css"), asset(t, "app.js")
	for _, m := range regexp.MustCompile(`url\(([^)]{0,40})`).FindAllStringSubmatch(css, -1) {
		if !strings.HasPrefix(m[1], `"data:image/svg+xml,`) {
			t.Errorf("the style sheet fetches %s", m[1])
		}
	}
	for _, word := range []string{"@import", "@font-face", "100vh"} {
		if strings.Contains(css, word) {
			t.Errorf("the style sheet uses %s", word)
		}
	}
	for _, word := range []string{"localStorage", "sessionStorage", "document.cookie", "eval(", "new Function", "setAttribute(\"style\"", "http:", "https:", "import("} {
		if strings.Contains(js, word) {
			t.Errorf("the script uses %s", word)
		}
	}
}
