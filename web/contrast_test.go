package web_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"z2mha/web"
)

// What is written on what.
var (
	inks     = []string{"text", "muted", "link", "good", "warn", "bad", "info", "held", "tint-text", "tint-muted"}
	surfaces = map[string][]string{
		"text": {"bg", "card", "sunken"}, "muted": {"bg", "card", "sunken"}, "link": {"bg", "card"},
		"good": {"card", "good-tint"}, "warn": {"card", "warn-tint"}, "bad": {"card", "bad-tint", "sunken"},
		"info": {"card", "info-tint"}, "held": {"card", "held-tint"},
		"tint-text":  {"good-tint", "warn-tint", "bad-tint", "info-tint", "held-tint"},
		"tint-muted": {"good-tint", "warn-tint", "bad-tint", "info-tint", "held-tint"},
		"on-primary": {"primary"}, "on-danger": {"danger"},
	}
)

func TestContrast(t *testing.T) {
	for theme, tokens := range themes(t) {
		for ink, on := range surfaces {
			for _, surface := range on {
				atLeast(t, 4.5, theme+": "+ink+" on "+surface, luminance(t, tokens[ink]), luminance(t, tokens[surface]))
			}
		}
		// The edge of a button or a field, and a mark that waits.
		for _, surface := range []string{"bg", "card"} {
			atLeast(t, 3, theme+": edge on "+surface, luminance(t, tokens["edge"]), luminance(t, tokens[surface]))
		}
	}
}

// app.js says which surfaces of a theme it takes. Our inks must be readable on them.
func TestContrastOnForeignSurfaces(t *testing.T) {
	script := asset(t, "app.js")
	limits := regexp.MustCompile(`DARK = ([0-9.]+), LIGHT = ([0-9.]+)`).FindStringSubmatch(script)
	if limits == nil {
		t.Fatal("app.js does not say which surfaces it takes")
	}
	worst := map[string]float64{"light": number(t, limits[2]), "dark": number(t, limits[1])}
	for theme, tokens := range themes(t) {
		for _, ink := range inks {
			if ink == "text" || ink == "muted" || strings.HasPrefix(ink, "tint") {
				continue // taken from the theme only when it is readable, or written on our own tints
			}
			atLeast(t, 4.5, theme+": "+ink+" on the worst surface", luminance(t, tokens[ink]), worst[theme])
		}
	}
}

// The dark colours stand twice: for browsers that are dark and for themes that are.
func TestDarkTwice(t *testing.T) {
	blocks := regexp.MustCompile(`(?s):root(:not\(\[data-theme="light"\]\)|\[data-theme="dark"\]) \{(.*?)\}`).FindAllStringSubmatch(asset(t, "app.css"), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of dark colours, want 2", len(blocks))
	}
	if a, b := strings.Join(strings.Fields(blocks[0][2]), " "), strings.Join(strings.Fields(blocks[1][2]), " "); a != b {
		t.Errorf("they differ:\n%s\n%s", a, b)
	}
}

// themes reads the tokens out of the style sheet.
func themes(t *testing.T) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for theme, selector := range map[string]string{"light": `:root`, "dark": `:root\[data-theme="dark"\]`} {
		block := regexp.MustCompile(`(?s)` + selector + ` \{(.*?)\}`).FindStringSubmatch(asset(t, "app.css"))
		if block == nil {
			t.Fatalf("the style sheet has no %s", selector)
		}
		out[theme] = map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block[1], -1) {
			out[theme][m[1]] = m[2]
		}
	}
	return out
}

// luminance is the relative luminance of WCAG 2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) != 7 {
		t.Fatalf("%q is no colour", hex)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func atLeast(t *testing.T, want float64, what string, a, b float64) {
	t.Helper()
	if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < want {
		t.Errorf("%s: contrast %.2f, want %g", what, got, want)
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func asset(t *testing.T, name string) string {
	t.Helper()
	a, ok := web.Assets.Open(web.Assets.Path(name))
	if !ok {
		t.Fatalf("there is no asset %s", name)
	}
	return string(a.Content)
}
