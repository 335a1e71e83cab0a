package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// A page that has a password is not open because something else is misspelt.
func TestThePageOfAMisspeltConfigurationKeepsItsPassword(t *testing.T) {
	s := newServer(slog.New(slog.DiscardHandler))
	s.around.config = filepath.Join(t.TempDir(), "z2mha.yaml")
	if err := os.WriteFile(s.around.config, []byte("netwroks: []\npage: {listen: '127.0.0.1:1', password: horse}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at, ok := s.place()
	if ok || at.address != "127.0.0.1:1" || at.password.Reveal() != "horse" || !s.pageConfig(at).Password.IsSet() {
		t.Errorf("served at %q, with a password: %t; usable: %t", at.address, at.password.IsSet(), ok)
	}
}
