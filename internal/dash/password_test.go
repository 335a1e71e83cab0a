package dash_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"z2mha/internal/dash"
)

func TestPasswordIsNotShown(t *testing.T) {
	p := dash.NewPassword(secret)
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", p)
		fmt.Fprintf(&b, verb+"\n", &p)
		fmt.Fprintf(&b, verb+"\n", dash.Config{Password: p})
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("password", "is", p, "in", map[string]any{"p": p})
	if err := json.NewEncoder(&b).Encode(map[string]any{"p": p}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"horse", fmt.Sprintf("%x", "horse"), "hash"} {
		if strings.Contains(b.String(), part) {
			t.Errorf("%q is in\n%s", part, &b)
		}
	}
}

func TestNoPasswordOpensNothing(t *testing.T) {
	if p := dash.NewPassword(""); p.IsSet() || p.Opens("") {
		t.Error("no password is a password")
	}
}
