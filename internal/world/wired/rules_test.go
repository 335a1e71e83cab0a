package wired

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/desk"
)

// TestRulesSeeWhatIsWrong: each rule finds what breaks it, so the stories can fail.
func TestRulesSeeWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		wrong      func(w *World, old *nvimage.Image)
	}{
		{"two that the controller started", "I1", func(w *World, _ *nvimage.Image) {
			_ = w.Ask(desk.Request{Verb: desk.Switchover})
			w.pass(time.Minute)
			w.host("attic").unit.start(io.Discard, byController)
		}},
		{"a counter that falls", "I2", func(w *World, old *nvimage.Image) {
			attic := w.host("attic")
			w.killController(time.Hour)
			attic.unit.stop(true)
			attic.stick.Unplug()
			attic.stick = znpsim.NewDongle(znpsim.DongleOptions{Name: "old", Medium: w.medium, Image: old})
			attic.unit.start(io.Discard, byController)
		}},
		{"a key that is told", "I8", func(w *World, _ *nvimage.Image) {
			w.secrets("the key 5a324d48412064656d6f20686f6d6521")
		}},
		{"a home that nobody serves", "liveness", func(w *World, _ *nvimage.Image) {
			w.killController(100 * time.Hour)
			w.host("attic").unit.stop(true)
			w.host("attic").unit.masked = true
			w.host("cellar").unit.masked = true
			w.ended = true // nobody boots the controller again
			w.finish()
			w.ended = false
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := directory(t)
			synctest.Test(t, func(t *testing.T) {
				w, err := New(dir, true, "attic", "cellar")
				if err != nil {
					t.Fatal(err)
				}
				old := w.host("attic").stick.Image()
				if !w.prepare() {
					t.Fatal(w.Wrong())
				}
				tt.wrong(w, old)
				w.pass(10 * time.Second)
				wrong := strings.Join(w.Wrong(), "\n")
				if !strings.Contains(wrong, " "+tt.want+": ") {
					t.Errorf("%q is not among what is wrong: %q", tt.want, wrong)
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
