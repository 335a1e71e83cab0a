package web_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The committed Go files are those that the templates give. To make them:
//
//	go tool templ generate -include-version=false -path web
func TestGenerated(t *testing.T) {
	templates, err := filepath.Glob("*.templ")
	if err != nil || len(templates) == 0 {
		t.Fatal("no templates", err)
	}
	dir := t.TempDir()
	for _, name := range templates {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "tool", "templ", "generate", "-include-version=false", "-path", dir).CombinedOutput(); err != nil {
		t.Fatalf("templ: %v\n%s", err, out)
	}
	for _, name := range templates {
		name = name[:len(name)-len(".templ")] + "_templ.go"
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what its template gives (%v); run: go tool templ generate -include-version=false -path web", name, err)
		}
	}
	if files, err := filepath.Glob("*_templ.go"); err != nil || len(files) != len(templates) {
		t.Errorf("%d generated files for %d templates (%v)", len(files), len(templates), err)
	}
}
