package storybook_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/web"
	"z2mha/web/storybook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGolden(t *testing.T) {
	expected := map[string]bool{}
	for _, story := range storybook.Stories() {
		t.Run(story.Name, func(t *testing.T) {
			file := filepath.Join("testdata", story.Name+".html")
			if expected[file] {
				t.Fatalf("two stories are named %s", story.Name)
			}
			expected[file] = true
			compare(t, file, readable(render(t, story)))
		})
	}
	files, err := filepath.Glob("testdata/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !expected[file] && !remove(t, file) {
			t.Errorf("%s belongs to no story; run go test ./web/storybook -update", file)
		}
	}
}

// The page must work below any path, under a policy without inline script and style,
// and without a connection to anywhere.
func TestNothingForbidden(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"an inline style":         regexp.MustCompile(`(?i)<style|<[a-z][^<>]*\sstyle=`),
		"an inline handler":       regexp.MustCompile(`(?i)<[a-z][^<>]*\son[a-z]+=`),
		"an inline script":        regexp.MustCompile(`(?i)<script(?: defer)?>|<script [^>]*[^>]>[^<]|href="javascript:`),
		"an address elsewhere":    regexp.MustCompile(`(?i)(?:href|src|action|hx-[a-z]+|content)="(?:[a-z+]+:)?//`),
		"a root-absolute address": regexp.MustCompile(`(?i)(?:href|src|action|hx-post|hx-get)="/`),
		"a fragment address":      regexp.MustCompile(`(?i)(?:href)="#`), // it would go to the base
		"an expression of HTMX":   regexp.MustCompile(`(?i)<[a-z][^<>]*\shx-(?:on|vals="js|vars)`),
		"a window of its own":     regexp.MustCompile(`(?i)\starget="`),
	}
	for _, story := range storybook.Stories() {
		html := strings.Replace(render(t, story), `<base href="/">`, "", 1)
		tags := withoutValues(html)
		for what, pattern := range forbidden {
			in := html
			if what == "an inline style" || what == "an inline handler" || what == "an expression of HTMX" {
				in = tags
			}
			if found := pattern.FindString(in); found != "" {
				t.Errorf("%s has %s: %s", story.Name, what, found)
			}
		}
	}
}

// Ids are unique on a page, whatever the nodes are called, and what refers to one
// finds it.
func TestIDs(t *testing.T) {
	id := regexp.MustCompile(`\sid="([^"]*)"`)
	ref := regexp.MustCompile(`\s(?:aria-labelledby|aria-describedby|for)="([^"]*)"`)
	for _, story := range storybook.Stories() {
		html := render(t, story)
		seen := map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(html, -1) {
			if seen[m[1]] {
				t.Errorf("%s has the id %q twice", story.Name, m[1])
			}
			seen[m[1]] = true
		}
		for _, m := range ref.FindAllStringSubmatch(html, -1) {
			if !seen[m[1]] {
				t.Errorf("%s refers to the id %q, which is not there", story.Name, m[1])
			}
		}
	}
}

// Headings go down by one level at a time, and every page begins with an h1.
func TestHeadings(t *testing.T) {
	heading := regexp.MustCompile(`<h([1-6])[\s>]`)
	for _, story := range storybook.Stories() {
		if story.Place != storybook.PlacePage {
			continue
		}
		level := 0
		for _, m := range heading.FindAllStringSubmatch(render(t, story), -1) {
			next := int(m[1][0] - '0')
			if next > level+1 {
				t.Errorf("%s: h%d follows h%d", story.Name, next, level)
			}
			level = next
		}
		if level == 0 {
			t.Errorf("%s has no heading", story.Name)
		}
	}
}

// Equal models give equal HTML, or the stream would never be quiet.
func TestStable(t *testing.T) {
	for _, story := range storybook.Stories() {
		if first, again := render(t, story), render(t, story); first != again {
			t.Errorf("%s is not drawn the same twice", story.Name)
		}
	}
}

func render(t testing.TB, story storybook.Story) string {
	t.Helper()
	var out bytes.Buffer
	if err := story.Component.Render(t.Context(), &out); err != nil {
		t.Fatalf("%s: %v", story.Name, err)
	}
	return out.String()
}

var (
	hashed = regexp.MustCompile(`(assets/[a-z.]+)\.[0-9a-f]{8}\.`)
	value  = regexp.MustCompile(`="[^"]*"`)
)

// readable leaves out what differs from build to build, and breaks lines, so that a
// difference is seen.
func readable(html string) string {
	html = hashed.ReplaceAllString(html, "$1.HASH.")
	html = strings.ReplaceAll(html, `<script src="assets/htmx.min.HASH.js" defer></script>`, "")
	html = strings.ReplaceAll(html, `data-print="`+web.Assets.Print()+`"`, `data-print="HASH"`)
	return strings.ReplaceAll(html, "><", ">\n<") + "\n"
}

// withoutValues empties the values of attributes: names of devices may look like tags
// there and do no harm.
func withoutValues(html string) string { return value.ReplaceAllString(html, `=""`) }

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test ./web/storybook -update", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); if it should be so, run go test ./web/storybook -update:\n%s", file, diff)
	}
}

func remove(t *testing.T, file string) bool {
	t.Helper()
	return *update && os.Remove(file) == nil
}
