package addon_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An instruction is one line of a Dockerfile, continued lines joined.
type instruction struct {
	word string
	args string
}

// A stage is what follows one FROM.
type stage struct {
	from, name   string
	instructions []instruction
}

// A built is a Dockerfile taken apart.
type built struct {
	global []instruction // before the first FROM
	stages []stage
}

func (b built) stage(t testing.TB, name string) stage {
	t.Helper()
	for _, s := range b.stages {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("the Dockerfile has no stage %q", name)
	return stage{}
}

func (s stage) all(word string) []string {
	var out []string
	for _, i := range s.instructions {
		if i.word == word {
			out = append(out, i.args)
		}
	}
	return out
}

var fromForm = regexp.MustCompile(`^(?:--platform=\S+ )?(\S+)(?: AS (\S+))?$`)

func dockerfile(t testing.TB) built {
	t.Helper()
	var b built
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(read(t, "Dockerfile")), "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	for _, line := range strings.Split(text, "\n") {
		word, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "":
		case word == "FROM":
			form := fromForm.FindStringSubmatch(args)
			if form == nil {
				t.Fatalf("FROM %s is not understood", args)
			}
			b.stages = append(b.stages, stage{from: form[1], name: form[2]})
		case len(b.stages) == 0:
			b.global = append(b.global, instruction{word, args})
		default:
			last := &b.stages[len(b.stages)-1]
			last.instructions = append(last.instructions, instruction{word, args})
		}
	}
	return b
}

// argDefault is what an argument is when nobody gives it.
func argDefault(t testing.TB, b built, name string) string {
	t.Helper()
	for _, i := range b.global {
		if value, ok := strings.CutPrefix(i.args, name+"="); ok && i.word == "ARG" {
			return value
		}
	}
	t.Fatalf("%s has no default before the first FROM: without build.yaml Supervisor gives none", name)
	return ""
}

// A copied is one COPY, with the stage that it takes from.
type copied struct {
	from    string // "" is the build context
	sources []string
	to      string
}

func (s stage) copies() []copied {
	var out []copied
	for _, args := range s.all("COPY") {
		var c copied
		var words []string
		for _, w := range strings.Fields(args) {
			if value, ok := strings.CutPrefix(w, "--from="); ok {
				c.from = value
			} else if !strings.HasPrefix(w, "--") {
				words = append(words, w)
			}
		}
		c.sources, c.to = words[:len(words)-1], words[len(words)-1]
		out = append(out, c)
	}
	return out
}

func TestSupervisorBuildsTheAddonStage(t *testing.T) {
	b := dockerfile(t)
	last := b.stages[len(b.stages)-1]
	if last.name != "addon" || last.from != "${BUILD_FROM}" {
		t.Errorf("without --target the stage %q from %s is built", last.name, last.from)
	}
	if argDefault(t, b, "BUILD_FROM") == "" {
		t.Error("the Dockerfile cannot be built without BUILD_FROM")
	}
	if got := b.stage(t, "standalone").from; got != "scratch" {
		t.Errorf("the plain container is built from %s", got)
	}
	for _, s := range []stage{last, b.stage(t, "standalone")} {
		if len(s.all("HEALTHCHECK")) != 1 || !strings.Contains(s.all("HEALTHCHECK")[0], `CMD ["/usr/bin/z2mha", "healthcheck"]`) {
			t.Errorf("health check of %s: %v", s.name, s.all("HEALTHCHECK"))
		}
	}
	if user := b.stage(t, "standalone").all("USER"); len(user) != 1 || strings.HasPrefix(user[0], "0") || user[0] == "root" {
		t.Errorf("the plain container runs as %v", user)
	}
}

func TestLabels(t *testing.T) {
	m := manifest(t)
	labels := strings.Join(dockerfile(t).stage(t, "addon").all("LABEL"), " ")
	for label, want := range map[string]string{
		"io.hass.type": "app", "io.hass.name": m["name"].(string), "io.hass.description": m["description"].(string),
		"io.hass.url": m["url"].(string), "io.hass.arch": "${BUILD_ARCH}", "io.hass.version": "${BUILD_VERSION}",
	} {
		if !strings.Contains(labels, label+`="`+want+`"`) {
			t.Errorf("no label %s=%q", label, want)
		}
	}
}

// Go's version of the image is the one that go.mod asks for.
func TestGoVersion(t *testing.T) {
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(read(t, "go.mod"))
	if from := dockerfile(t).stage(t, "build").from; from != "golang:"+string(wanted[1])+"-alpine" {
		t.Errorf("built with %s, go.mod wants %s", from, wanted[1])
	}
}

// What a stage copies from the context exists and gets past .dockerignore; what it
// copies from another stage was put there.
func TestCopiesExist(t *testing.T) {
	b, context := dockerfile(t), buildContext(t)
	made := strings.Join(b.stage(t, "build").all("RUN"), "\n")
	for _, s := range b.stages {
		for _, c := range s.copies() {
			for _, source := range c.sources {
				switch {
				case c.from == "build" && strings.HasPrefix(source, "/out/"):
					if !strings.Contains(made, source) {
						t.Errorf("stage %s copies %s, which is not built", s.name, source)
					}
				case c.from == "" && source != ".":
					if !slices.ContainsFunc(context, func(f string) bool { return f == source || strings.HasPrefix(f, source+"/") }) {
						t.Errorf("stage %s copies %s, which is not in the build context", s.name, source)
					}
				}
			}
		}
	}
}

// Everything that the program is compiled from is in the build context; nothing that
// may hold a secret, or that was built here, is.
func TestBuildContext(t *testing.T) {
	context := buildContext(t)
	for _, f := range sourcesOf(t, "./cmd/z2mha", "./cmd/znp-helper") {
		if !slices.Contains(context, f) && !made(f) {
			t.Errorf("%s is needed, and .dockerignore keeps it out", f)
		}
	}
	for _, f := range context {
		top, _, _ := strings.Cut(f, "/")
		if strings.HasPrefix(top, ".") || slices.Contains([]string{"bin", "state", "docs", "e2e", "test", "packaging", "z2mha.yaml"}, top) || made(f) {
			t.Errorf("%s has no business in an image", f)
		}
	}
}

// made says that a file is built or fetched, in the image too.
func made(f string) bool {
	return strings.HasSuffix(f, ".gz") || f == "web/assets/htmx.min.js" || strings.Contains(f, "/node_modules/")
}

// sourcesOf are all files of the module that packages are compiled from.
func sourcesOf(t testing.TB, packages ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles"}, packages...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	must(t, err)
	base, err := filepath.Abs(root)
	must(t, err)
	var files []string
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		must(t, decoder.Decode(&p))
		if p.Module == nil || !p.Module.Main {
			continue
		}
		dir, err := filepath.Rel(base, p.Dir)
		must(t, err)
		for _, f := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			files = append(files, path.Join(filepath.ToSlash(dir), f))
		}
	}
	return files
}

// buildContext are the files that docker sends to the builder: the last line of
// .dockerignore that matches a path, or a directory above it, decides.
func buildContext(t testing.TB) []string {
	t.Helper()
	var lines []string
	for _, line := range strings.Split(string(read(t, ".dockerignore")), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	var files []string
	must(t, filepath.WalkDir(root, func(name string, e os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since its directory was read: another test's
		}
		must(t, err)
		rel, err := filepath.Rel(root, name)
		must(t, err)
		if e.IsDir() && slices.Contains([]string{".git", ".cache"}, rel) {
			return filepath.SkipDir
		}
		if rel = filepath.ToSlash(rel); e.Type().IsRegular() && !ignored(t, lines, rel) {
			files = append(files, rel)
		}
		return nil
	}))
	return files
}

func ignored(t testing.TB, lines []string, file string) bool {
	out := false
	for _, line := range lines {
		pattern, back := strings.CutPrefix(line, "!")
		for p := file; p != "."; p = path.Dir(p) {
			if matches(t, pattern, p) {
				out = !back
			}
		}
	}
	return out
}

// matches knows of ** only that it begins a pattern, which is all that is used.
func matches(t testing.TB, pattern, file string) bool {
	if anywhere, ok := strings.CutPrefix(pattern, "**/"); ok {
		pattern, file = anywhere, path.Base(file)
	}
	ok, err := path.Match(pattern, file)
	must(t, err)
	return ok
}
