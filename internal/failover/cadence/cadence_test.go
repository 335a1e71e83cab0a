package cadence_test

import (
	"testing"
	"time"

	"z2mha/internal/failover/cadence"
)

var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// captured is a network whose last full capture began at the start and took 15 s.
func captured() cadence.State {
	return cadence.State{}.Begin(cadence.Full, start).End(cadence.Good, at(15*time.Second))
}

func done(s cadence.State, kind cadence.Kind, began time.Duration, how cadence.End) cadence.State {
	return s.Begin(kind, at(began)).End(how, at(began+15*time.Second))
}

func TestNext(t *testing.T) {
	const s, m = time.Second, time.Minute
	for _, tt := range []struct {
		name  string
		given func(cadence.State) cadence.State
		when  time.Duration // since the start; negative for already
		kind  cadence.Kind
		why   string
	}{
		{"captures the files on schedule", func(c cadence.State) cadence.State { return c }, 5 * m, cadence.Files, "on schedule"},
		{"captures all on schedule, not the files as well", func(c cadence.State) cadence.State {
			for i := range 5 {
				c = done(c, cadence.Files, time.Duration(i+1)*5*m, cadence.Good)
			}
			return c
		}, 30 * m, cadence.Full, "on schedule"},
		{"captures at once what was never captured", func(cadence.State) cadence.State { return cadence.State{} }, -1, cadence.Full, "there is none yet"},
		{"takes up what an earlier process did", func(cadence.State) cadence.State {
			return cadence.State{}.Seed(at(-10*m), at(-2*m), start)
		}, 3 * m, cadence.Files, "on schedule"},
		{"does not believe an earlier process that captured tomorrow", func(cadence.State) cadence.State {
			return cadence.State{}.Seed(at(24*time.Hour), at(24*time.Hour), start)
		}, -1, cadence.Full, "there is none yet"},

		{"waits until it is quiet after a change", func(c cadence.State) cadence.State { return c.Changed(at(100 * s)) }, 110 * s, cadence.Full, "the network has changed"},
		{"takes several changes in a row together", func(c cadence.State) cadence.State {
			return c.Changed(at(100 * s)).Changed(at(105 * s)).Changed(at(112 * s))
		}, 122 * s, cadence.Full, "the network has changed"},
		{"does not wait for quiet for ever", func(c cadence.State) cadence.State {
			for i := range 10 {
				c = c.Changed(at(100*s + time.Duration(i)*5*s))
			}
			return c
		}, 140 * s, cadence.Full, "the network has changed"},
		{"waits for an interview, not for ever", func(c cadence.State) cadence.State {
			return c.Changed(at(100 * s)).Interviewing(7)
		}, 140 * s, cadence.Full, "the network has changed"},
		{"waits no longer when the interview is over", func(c cadence.State) cadence.State {
			return c.Changed(at(100 * s)).Interviewing(7).Interviewing(8).Interviewed(8).Interviewed(7).Changed(at(120 * s))
		}, 130 * s, cadence.Full, "the network has changed"},
		{"forgets an interview of which nothing more is heard", func(c cadence.State) cadence.State {
			return done(c.Changed(at(100*s)).Interviewing(7), cadence.Full, 140*s, cadence.Good).Changed(at(300 * s))
		}, 310 * s, cadence.Full, "the network has changed"},
		{"lets a minute pass between two full captures", func(c cadence.State) cadence.State { return c.Changed(at(25 * s)) }, 60 * s, cadence.Full, "the network has changed"},
		{"captures the files in time when a full capture would be late", func(c cadence.State) cadence.State { return c.Changed(at(5 * s)) },
			15 * s, cadence.Files, "the network has changed"},
		{"and the stick after that", func(c cadence.State) cadence.State {
			return done(c.Changed(at(5*s)), cadence.Files, 16*s, cadence.Good)
		}, 60 * s, cadence.Full, "the network has changed"},
		{"captures again what changed while it captured", func(c cadence.State) cadence.State {
			return c.Begin(cadence.Full, at(100*s)).Changed(at(105*s)).End(cadence.Good, at(115*s))
		}, 115 * s, cadence.Files, "the network has changed"},
		{"is content with a capture that began after the change", func(c cadence.State) cadence.State {
			return done(c.Changed(at(100*s)), cadence.Full, 110*s, cadence.Good)
		}, 110*s + 5*m, cadence.Files, "on schedule"},

		{"knows that a change that is told late was captured", func(c cadence.State) cadence.State {
			return done(c, cadence.Full, 100*s, cadence.Good).Changed(at(99 * s))
		}, 100*s + 5*m, cadence.Files, "on schedule"},
		{"goes on with the files when the stick cannot be asked", func(c cadence.State) cadence.State {
			return done(c.Due("the clock was set"), cadence.Full, 30*m, cadence.Failed)
		}, 5 * m, cadence.Files, "on schedule"},
		{"pauses for a minute after a failure", func(c cadence.State) cadence.State {
			return done(c, cadence.Files, 5*m, cadence.Failed)
		}, 6*m + 15*s, cadence.Files, "on schedule"},
		{"pauses for ten minutes after many, but a full one is due then", func(c cadence.State) cadence.State {
			for range 9 {
				c = done(c, cadence.Files, 28*m, cadence.Failed)
			}
			return c
		}, 30 * m, cadence.Full, "on schedule"},
		{"begins anew after a success", func(c cadence.State) cadence.State {
			c = done(done(c, cadence.Files, 5*m, cadence.Failed), cadence.Files, 10*m, cadence.Good)
			return done(c, cadence.Files, 15*m, cadence.Failed)
		}, 16*m + 15*s, cadence.Files, "on schedule"},
		{"tries again soon what gave way", func(c cadence.State) cadence.State {
			return done(c.Changed(at(100*s)), cadence.Full, 110*s, cadence.PutOff)
		}, 110 * s, cadence.Files, "the network has changed"},

		{"captures at once when the clock was set", func(c cadence.State) cadence.State {
			return done(c, cadence.Files, 5*m, cadence.Good).Due("the clock was set")
		}, 60 * s, cadence.Full, "the clock was set"},
		{"and only once", func(c cadence.State) cadence.State {
			return done(c.Due("the clock was set"), cadence.Full, 2*m, cadence.Good)
		}, 7 * m, cadence.Files, "on schedule"},

		{"captures nothing while it must not", func(c cadence.State) cadence.State {
			c = c.Changed(at(100 * s)).Due("the clock was set")
			c.Blocked = "it is held"
			return c
		}, -1, cadence.None, "it is held"},
		{"captures one thing at a time", func(c cadence.State) cadence.State {
			return c.Begin(cadence.Files, at(5*m)).Changed(at(5*m + s))
		}, -1, cadence.None, "one is being made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			when, kind, why := cadence.Default().Next(tt.given(captured()))
			if kind != tt.kind || why != tt.why {
				t.Errorf("%q because %q; want %q because %q", kind, why, tt.kind, tt.why)
			}
			if tt.when < 0 != when.IsZero() || tt.when >= 0 && !when.Equal(at(tt.when)) {
				t.Errorf("after %s, want %s", when.Sub(start), tt.when)
			}
		})
	}
}

func TestNothingIsAskedForWithoutARule(t *testing.T) {
	if _, kind, _ := (cadence.Rule{}).Next(cadence.State{}.Changed(start)); kind != cadence.None {
		t.Errorf("got %q", kind)
	}
}

func TestJumped(t *testing.T) {
	for _, tt := range []struct {
		name        string
		wall, truth time.Duration
		want        bool
	}{
		{"sees nothing when both go on", 15 * time.Second, 15 * time.Second, false},
		{"bears with a clock that is being trimmed", 15*time.Second + 400*time.Millisecond, 15 * time.Second, false},
		{"sees a step back", -time.Hour, 15 * time.Second, true},
		{"sees a step forward", time.Hour, 15 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := cadence.Jumped(tt.wall, tt.truth); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
