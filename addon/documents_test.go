package addon_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
)

// The documents name everything that a user may meet, and nothing that is not there.

func TestEveryEntityIsDocumented(t *testing.T) {
	networks := []status.Network{{Name: "home", Nodes: []status.Node{{Name: "nuc"}}}}
	rows := map[string]bool{}
	for _, d := range discovery.Devices(networks, discovery.Options{}) {
		for key, c := range d.Components {
			row := "| `" + key + "` | `" + c.EntityID + "` |"
			rows[row] = true
			mentions(t, "addon/DOCS.md", row)
			if c.CommandTopic != "" {
				mentions(t, "addon/DOCS.md", "`"+c.CommandTopic+"`")
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `\\w+` \\| `[a-z_]+\\.z2mha_\\w+` \\|").FindAllString(string(read(t, "addon/DOCS.md")), -1) {
		if !rows[row] {
			t.Errorf("there is no entity as in %q", row)
		}
	}
	for _, m := range slices.Concat(discovery.States(networks, discovery.Options{}, time.Now()), discovery.Availability(networks, discovery.Options{})) {
		mentions(t, "addon/DOCS.md", "`"+m.Topic+"`")
	}
}

func TestEveryEventAndWordIsDocumented(t *testing.T) {
	for _, e := range status.EventTypes {
		mentions(t, "addon/DOCS.md", "`"+string(e)+"`")
	}
	for _, c := range status.Causes {
		mentions(t, "addon/DOCS.md", "`"+string(c)+"`")
	}
	for _, p := range status.Protections {
		mentions(t, "addon/DOCS.md", "| `"+string(p)+"` | "+p.Sentence()+" |")
	}
}

func TestEveryOptionIsDocumented(t *testing.T) {
	for key, kind := range manifest(t)["schema"].(map[string]any) {
		group, _ := kind.(map[string]any)
		if group == nil {
			mentions(t, "addon/DOCS.md", "`"+key+"`")
		}
		for inner := range group {
			mentions(t, "addon/DOCS.md", "`"+key+"."+inner+"`")
		}
	}
}

func TestEveryKeyOfTheConfigurationIsDocumented(t *testing.T) {
	keys := found(t, "internal/config", regexp.MustCompile(`(?:(?:read|need|secret|password|several)\(s, |field\()"([a-z_]+)"`))
	if len(keys) < 40 {
		t.Fatalf("only %d keys were found in the source", len(keys))
	}
	for _, key := range keys {
		if !regexp.MustCompile("`(?:[a-z]+\\.)?" + key + "[`.]").Match(read(t, "addon/DOCS.md")) {
			t.Errorf("addon/DOCS.md does not mention the key %s", key)
		}
		if !regexp.MustCompile(`\b` + key + `:`).Match(read(t, "docs/z2mha.example.yaml")) {
			t.Errorf("docs/z2mha.example.yaml does not mention the key %s", key)
		}
	}
}

func TestEveryCheckIsDocumented(t *testing.T) {
	checks := found(t, "internal/failover/readiness", regexp.MustCompile(`(?m)(?:\bID: |\bDistinct = |\ba\.age\(|^\t\{)"([a-z-]+)"`))
	if len(checks) < 30 {
		t.Fatalf("only %d checks were found in the source", len(checks))
	}
	for _, id := range checks {
		mentions(t, "addon/DOCS.md", "| **"+id+"** `")
	}
	for _, row := range regexp.MustCompile(`(?m)^\| \*\*([a-z-]+)\*\*`).FindAllStringSubmatch(string(read(t, "addon/DOCS.md")), -1) {
		if !slices.Contains(checks, row[1]) {
			t.Errorf("there is no check %s", row[1])
		}
	}
}

func TestEveryCommandAndExitCodeIsDocumented(t *testing.T) {
	for _, use := range found(t, "cmd/z2mha", regexp.MustCompile(`(?:Use: |oneNodeCommand\(f, |holding\(f, )"([a-z-]+)`)) {
		if !slices.Contains([]string{"z2mha", "exit-codes", "prepare", "done"}, use) {
			mentions(t, "README.md", "`"+use)
		}
	}
	codes := found(t, "cmd/z2mha", regexp.MustCompile(`(?m)^\texit[A-Z]\w+ += (\d)$`))
	meaning := found(t, "cmd/z2mha", regexp.MustCompile(`(?m)^\t+(?:Long: )?"(\d  [^"\\]+)`))
	if len(codes) < 6 || len(codes) != len(meaning) {
		t.Fatalf("exit codes %q, explained %q", codes, meaning)
	}
	for i, m := range meaning {
		mentions(t, "README.md", "| `"+strconv.Itoa(i)+"` | "+m[3:]+" |")
	}
}

// A message that is explained is one that the program has. What stands between two
// "…" is looked for in its texts.
func TestMessagesExist(t *testing.T) {
	_, section, ok := strings.Cut(string(read(t, "addon/DOCS.md")), "\n## Messages")
	if !ok {
		t.Fatal("DOCS.md has no section on messages")
	}
	texts := source(t, "internal") + source(t, "cmd")
	texts = regexp.MustCompile(`"\s*\+\s*"`).ReplaceAllString(texts, "") // one text in two lines
	n := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (?:\\*\\*[a-z-]+\\*\\* )?(`[^|]+`) \\|").FindAllStringSubmatch(section, -1) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			for _, part := range strings.Split(message[1], "…") {
				if part = strings.TrimSpace(part); !strings.Contains(texts, part) {
					t.Errorf("nothing says %q", part)
				}
				n++
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d messages were found", n)
	}
}

// A link within the repository leads somewhere, and so does one to a heading.
func TestLinks(t *testing.T) {
	const ours = "https://github.com/z2mha/z2mha/blob/main/"
	for _, name := range []string{"README.md", "addon/DOCS.md", "docs/architecture.md", "mibs/README.md"} {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(read(t, name)), -1) {
			target, ok := strings.CutPrefix(link[1], ours)
			if !ok && strings.Contains(link[1], "://") || strings.HasSuffix(target, ".png") {
				continue
			}
			file, heading, _ := strings.Cut(target, "#")
			path := filepath.Join(filepath.Dir(name), file)
			switch {
			case file == "":
				path = name
			case ok:
				path = file
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, link[1])
			} else if heading != "" && !slices.Contains(headings(t, path), heading) {
				t.Errorf("%s links to %s, where there is no such heading", name, link[1])
			}
		}
	}
}

// headings are those of a document, as GitHub and Home Assistant name them in links.
func headings(t testing.TB, name string) []string {
	t.Helper()
	var out []string
	for _, h := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(read(t, name)), -1) {
		plain := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(h[1]), "")
		out = append(out, strings.ReplaceAll(plain, " ", "-"))
	}
	return out
}

func mentions(t testing.TB, name, text string) {
	t.Helper()
	if !strings.Contains(string(read(t, name)), text) {
		t.Errorf("%s does not mention %s", name, text)
	}
}

// found is what a pattern's group matches in a folder's sources, each once, in order.
func found(t testing.TB, folder string, pattern *regexp.Regexp) []string {
	t.Helper()
	var out []string
	for _, m := range pattern.FindAllStringSubmatch(source(t, folder), -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	if len(out) == 0 {
		t.Fatalf("nothing was found in %s", folder)
	}
	return out
}

// source is the Go source below a folder, without tests.
func source(t testing.TB, folder string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		out.Write(text)
		return err
	}))
	return out.String()
}
