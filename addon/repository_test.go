package addon_test

import (
	"bytes"
	"errors"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = ".."

// Supervisor takes every file of these names for a manifest, or for a build file,
// wherever it lies, except below a hidden directory or one called rootfs. It does not
// follow symbolic links. Source: supervisor/store/data.py.
func TestOneManifestAndOneBuildFile(t *testing.T) {
	found := map[string][]string{}
	must(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since its directory was read: another test's
		}
		must(t, err)
		name := e.Name()
		if e.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "rootfs") {
			return fs.SkipDir
		}
		stem, ext, _ := strings.Cut(name, ".")
		if !e.IsDir() && slices.Contains([]string{"yaml", "yml", "json"}, ext) && slices.Contains([]string{"config", "build"}, stem) {
			found[stem] = append(found[stem], path)
		}
		return nil
	}))
	for _, stem := range []string{"config", "build"} {
		want := filepath.Join(root, stem+".yaml")
		if got := found[stem]; len(got) != 1 || got[0] != want {
			t.Errorf("Supervisor would find %v; want %s alone: give the others another name", got, want)
		}
	}
}

func TestLinksLeadIntoThisFolder(t *testing.T) {
	for _, name := range []string{"DOCS.md", "apparmor.txt", "icon.png", "logo.png", "translations"} {
		target, err := os.Readlink(filepath.Join(root, name))
		must(t, err)
		if want := "addon/" + name; target != want {
			t.Errorf("%s leads to %s, want %s", name, target, want)
		}
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("%s leads nowhere: %v", name, err)
		}
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "Dockerfile", "repository.yaml"} {
		info, err := os.Lstat(filepath.Join(root, name))
		must(t, err)
		if !info.Mode().IsRegular() {
			t.Errorf("%s is no file", name)
		}
	}
}

func TestPictures(t *testing.T) {
	for name, want := range map[string][2]int{"icon.png": {128, 128}, "logo.png": {250, 100}} {
		picture, err := png.DecodeConfig(bytes.NewReader(read(t, name)))
		must(t, err)
		if picture.Width != want[0] || picture.Height != want[1] {
			t.Errorf("%s is %d×%d, want %d×%d", name, picture.Width, picture.Height, want[0], want[1])
		}
	}
}

func TestRepository(t *testing.T) {
	r := readYAML(t, "repository.yaml")
	if r["name"] == "" || r["name"] != manifest(t)["name"] || r["url"] != manifest(t)["url"] {
		t.Errorf("repository %v", r)
	}
	for key, value := range r {
		if !slices.Contains([]string{"name", "url", "maintainer"}, key) || text(value) != nil {
			t.Errorf("%s: %v does not belong there", key, value)
		}
	}
}

func TestBuildFile(t *testing.T) {
	b := readYAML(t, "build.yaml")
	base := argDefault(t, dockerfile(t), "BUILD_FROM")
	from, _ := b["build_from"].(map[string]any)
	if len(b) != 1 || len(from) != len(manifest(t)["arch"].([]any)) {
		t.Errorf("build file %v", b)
	}
	for _, arch := range manifest(t)["arch"].([]any) {
		if from[arch.(string)] != base {
			t.Errorf("%v is built from %v, and without this file from %s", arch, from[arch.(string)], base)
		}
	}
	if tag := base[strings.LastIndex(base, ":")+1:]; !regexp.MustCompile(`^\d`).MatchString(tag) {
		t.Errorf("the base %s is not pinned to a version", base)
	}
}

// One version everywhere: what Supervisor installs, what the update dialog tells, and
// what the program says of itself.
func TestVersion(t *testing.T) {
	want := manifest(t)["version"].(string)
	heading := regexp.MustCompile(`(?m)^## (.+)$`).FindSubmatch(read(t, "CHANGELOG.md"))
	if heading == nil || string(heading[1]) != want {
		t.Errorf("the newest heading of CHANGELOG.md is %q, the manifest's version %s", heading, want)
	}
	sources, err := filepath.Glob(filepath.Join(root, "internal", "version", "*.go"))
	must(t, err)
	if len(sources) == 0 {
		t.Skip("there is no internal/version yet to compare with")
	}
	var all []byte
	for _, s := range sources {
		b, err := os.ReadFile(s)
		must(t, err)
		all = append(all, b...)
	}
	said := regexp.MustCompile(`\bVersion\b[^=\n]*=\s*"([^"]*)"`).FindSubmatch(all)
	if said == nil || string(said[1]) != want {
		t.Errorf("internal/version says %q, the manifest %s", said, want)
	}
	if !regexp.MustCompile(`(?m)^var Version\b|^var \(`).Match(all) {
		t.Error("Version must be a variable: the linker sets no constant")
	}
}

func manifest(t testing.TB) map[string]any {
	t.Helper()
	return readYAML(t, "config.yaml")
}

func readYAML(t testing.TB, name string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal(read(t, name), &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

// read is a file by its name at the top of the repository, where Supervisor looks.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
