package dash_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestEchoStaysHere: another router, or the next version of this one, is to be a
// change of this folder only.
func TestEchoStaysHere(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`, "z2mha/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if path, imports, _ := strings.Cut(line, " "); strings.Contains(imports, "labstack/echo") && path != "z2mha/internal/dash" {
			t.Errorf("%s imports echo", path)
		}
	}
}
