package deptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Load asks go list for the packages of the module at dir, for every build tag
// that is on by default. What does not build is for the compiler to say (-e).
func Load(dir, module string) ([]Package, error) {
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	var packages []Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if !strings.HasPrefix(l.ImportPath, module+"/") {
			continue
		}
		p, err := l.pack(module)
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

// listed is the part of go list's answer that is asked for.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func (l listed) pack(module string) (Package, error) {
	p := Package{Path: strings.TrimPrefix(l.ImportPath, module+"/")}
	for _, to := range l.Imports {
		p.Imports = append(p.Imports, strings.TrimPrefix(to, module+"/"))
	}
	for _, name := range l.GoFiles {
		src, err := os.ReadFile(filepath.Join(l.Dir, name))
		if err != nil {
			return p, err
		}
		calls, err := ClockCalls(name, src)
		if err != nil {
			return p, err
		}
		p.Clock = append(p.Clock, calls...)
	}
	return p, nil
}

// clock are the functions of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// ClockCalls finds the uses of the clock in a Go file, as "file.go:12 time.Now".
func ClockCalls(name string, src []byte) ([]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	local := timeName(file)
	var calls []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && slices.Contains(clock, sel.Sel.Name) {
			calls = append(calls, fmt.Sprintf("%s:%d time.%s", name, fset.Position(sel.Pos()).Line, sel.Sel.Name))
		}
		return true
	})
	return calls, nil
}

// timeName is the name under which a file knows package time, "" for none.
func timeName(file *ast.File) string {
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || path != "time" {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return "time"
	}
	return ""
}
