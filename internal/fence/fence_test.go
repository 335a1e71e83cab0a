package fence_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/fence"
)

// A plug says what a script tells it to, by the time since it was switched.
type plug struct {
	off    time.Time
	refuse error
	state  func(since time.Duration) (bool, error)
	hang   bool
}

func (p *plug) String() string { return "the plug" }

func (p *plug) Off(ctx context.Context) error {
	p.off = time.Now()
	return p.refuse
}

func (p *plug) State(ctx context.Context) (bool, string, error) {
	if p.hang {
		<-ctx.Done()
		return false, "", ctx.Err()
	}
	off, err := p.state(time.Since(p.off))
	return off, map[bool]string{true: "off", false: "on"}[off], err
}

func (p *plug) Check(context.Context) error { return p.refuse }

func TestCut(t *testing.T) {
	errAway := errors.New("no answer")
	always := func(off bool, err error) func(time.Duration) (bool, error) {
		return func(time.Duration) (bool, error) { return off, err }
	}
	for _, tt := range []struct {
		name string
		plug plug
		took time.Duration
		want string // in the error; "" for a proof
	}{
		{"believes off that was seen for long enough", plug{state: always(true, nil)}, 5 * time.Second, ""},
		{"waits for a plug that takes its time", plug{state: func(d time.Duration) (bool, error) { return d > 10*time.Second, nil }}, 15500 * time.Millisecond, ""},
		{"does not believe one that says on", plug{state: always(false, nil)}, 30 * time.Second, "its confirmation says: on"},
		{"does not believe one that goes on again", plug{state: func(d time.Duration) (bool, error) { return d%(4*time.Second) < 3*time.Second, nil }}, 30 * time.Second, "not confirmed within 30s"},
		{"begins anew after a confirmation that did not answer", plug{state: func(d time.Duration) (bool, error) {
			if d > 2*time.Second && d < 4*time.Second {
				return false, errAway
			}
			return true, nil
		}}, 9 * time.Second, ""},
		{"does not believe one that cannot be asked", plug{state: always(false, errAway)}, 30 * time.Second, "no answer"},
		{"does not wait for a confirmation for ever", plug{hang: true}, 30 * time.Second, "does not answer"},
		{"does not look when it could not be switched", plug{refuse: errAway, state: always(true, nil)}, 0, "switch it off: no answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				saw, err := fence.New(&tt.plug, fence.Options{}).Cut(t.Context())
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %q, %v", saw, err)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
			})
		})
	}
}

func TestCutEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		p := &plug{state: func(time.Duration) (bool, error) { return true, nil }}
		if saw, err := fence.New(p, fence.Options{}).Cut(ctx); err == nil {
			t.Errorf("off for 3 s was believed: %q", saw)
		}
	})
}

// quick options are for real things on loopback.
var quick = fence.Options{Timeout: 1500 * time.Millisecond, OffTime: 100 * time.Millisecond}

// proves cuts, and compares what comes of it.
func proves(t *testing.T, d fence.Device, want string) {
	t.Helper()
	saw, err := fence.New(d, quick).Cut(t.Context())
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("cut: %q, %v; want %q", saw, err, want)
	}
	if text := saw + d.String() + errText(err); strings.Contains(text, secret) {
		t.Errorf("it shows the secret: %s", text)
	}
}

const secret = "hunter2"

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
