package decide_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/decide"
)

const rulesPage = "../../../docs/rules-of-action.md"

// The page of rules is written from the table.
func TestRulesPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Rules of action\n\nWhat the controller does by itself, and when it does not. The rules are asked in this order, at every look;\n" +
		"the first one that decides ends it. `z2mha why` tells which one it was, and `z2mha why --not failover` what spoke against it.\n\n" +
		"This page is written by a test from `internal/failover/decide`; recorded examples are in its `testdata`.\n\n" +
		"| | rule | decides for |\n|---|---|---|\n")
	for i, r := range decide.Rules() {
		fmt.Fprintf(&b, "| %d | **%s**. %s | %s |\n", i+1, r.Name, r.Says, r.Action)
	}
	if *update {
		write(t, rulesPage, b.String(), "")
	}
	if got := read(t, rulesPage); got != b.String() {
		t.Errorf("%s differs; `go test ./internal/failover/decide -update` writes it anew:\n%s", rulesPage, cmp.Diff(got, b.String()))
	}
}
