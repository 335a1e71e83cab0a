package bridge_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
)

// A device is heard when it says something new over the radio, whatever its name. What the
// broker had kept, what comes while Zigbee2MQTT starts and what it repeats are no radio.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run() // publishes a state of the lamp, attic/lamp, that it remembers
		time.Sleep(time.Second)
		say := func(payload string, retain bool) (heard bool) {
			t.Helper()
			before := b.Signs().HeardFrom[lamp]
			z.publish("attic/lamp", payload, retain)
			synctest.Wait()
			s := b.Signs()
			heard = s.HeardFrom[lamp].After(before)
			if heard && (!s.Heard.Equal(s.HeardFrom[lamp]) || !s.Heard.Equal(time.Now())) {
				t.Errorf("heard at %v, now is %v", s.Heard, time.Now())
			}
			time.Sleep(time.Second)
			return heard
		}
		if !b.Signs().Heard.IsZero() {
			t.Error("a remembered state counts")
		}
		if say(`{"state":"ON","linkquality":1}`, false) {
			t.Error("a repeated state counts")
		}
		if !say(`{"state":"ON","linkquality":2}`, false) {
			t.Error("a new state does not count")
		}
		if say(`{"state":"ON","linkquality":2}`, false) {
			t.Error("the same once more counts")
		}
		z.publish("hall", `{"state":"ON"}`, false)
		z.publish("hall", `{"state":"OFF"}`, false)
		synctest.Wait()
		if n := len(b.Signs().HeardFrom); n != 1 {
			t.Errorf("%d devices were heard, with a group", n)
		}
		z.publish("bridge/state", `{"state":"online"}`, true)
		synctest.Wait()
		if say(`{"state":"ON","linkquality":3}`, false) {
			t.Error("a state counts that came during a start")
		}
		time.Sleep(31 * time.Second)
		if !say(`{"state":"ON","linkquality":4}`, false) {
			t.Error("a state does not count that came after a start")
		}
		z.broker.CutAll()
		time.Sleep(40 * time.Second)
		if s := b.Signs(); !s.Broker.Connected || s.HeardFrom[lamp].IsZero() {
			t.Errorf("what was heard is forgotten with the connection: %+v", s)
		}
		if !say(`{"state":"ON","linkquality":5}`, false) {
			t.Error("nothing is heard on the second connection")
		}
	})
}

// The pace is the longest pause between the last messages.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		for i := range 25 {
			if i == 19 && b.Signs().Pace != 0 {
				t.Errorf("a pace of %s from a few messages", b.Signs().Pace)
			}
			time.Sleep(2 * time.Second)
			if i == 22 {
				time.Sleep(5 * time.Second)
			}
			z.publish("attic/lamp", fmt.Sprintf(`{"linkquality":%d}`, 10+i), false)
		}
		synctest.Wait()
		if got := b.Signs().Pace; got != 7*time.Second {
			t.Errorf("pace %s", got)
		}
	})
}

// A counter that has grown tells that a device was heard since the count before.
func TestHealthCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		count := func(n int) {
			z.publish("bridge/health", fmt.Sprintf(`{"devices":{"0x0000000000000a01":{"messages":%d},"named":{"messages":9}}}`, n), true)
			synctest.Wait()
		}
		count(5)
		first := time.Now()
		time.Sleep(10 * time.Minute)
		count(5)
		if at := b.Signs().Heard; !at.IsZero() {
			t.Errorf("the same count: heard %v", at)
		}
		second := time.Now()
		time.Sleep(10 * time.Minute)
		count(6)
		if at := b.Signs().HeardFrom[lamp]; !at.Equal(second) {
			t.Errorf("heard %v, counts were at %v and %v", at, first, second)
		}
	})
}

// That nothing comes is on record while it is waited for, until something comes.
func TestUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		z.deaf.Store(true)
		began := time.Now()
		go func() { _, _ = b.Refresh(within(t, 15*time.Second)) }()
		time.Sleep(time.Second)
		if s := b.Signs().Bridge; !s.Unanswered.IsZero() {
			t.Errorf("after a second: %+v", s)
		}
		time.Sleep(2 * time.Second)
		if s := b.Signs().Bridge; !s.Unanswered.Equal(began) || !s.Asked.Equal(began) {
			t.Errorf("after 3 s: %+v", s)
		}
		time.Sleep(20 * time.Second)
		if s := b.Signs().Bridge; !s.Unanswered.Equal(began) {
			t.Errorf("after the try: %+v", s)
		}
		z.deaf.Store(false)
		if _, err := b.Refresh(within(t, 15*time.Second)); err != nil {
			t.Fatal(err)
		}
		if s := b.Signs().Bridge; !s.Unanswered.IsZero() || s.Node != "attic" || !s.Spoke.Equal(time.Now()) {
			t.Errorf("after an answer: %+v", s)
		}
		z.deaf.Store(true)
		z.broker.Stop()
		_, _ = b.Refresh(within(t, 15*time.Second))
		if s := b.Signs(); !s.Bridge.Unanswered.IsZero() || s.Broker.Connected || s.Broker.Why == "" {
			t.Errorf("without a broker: %+v", s)
		}
	})
}

// A scripted Zigbee2MQTT answers questions to its stick as old and new ones do.
func TestAskStickOfAnOldOne(t *testing.T) {
	for _, tt := range []struct {
		name    string
		joining bool
		stick   string // status and error of the answer to permit_join
		want    error
	}{
		{"closes what is closed", false, `"status":"ok"`, nil},
		{"leaves joining open", true, `"status":"ok"`, engine.ErrJoiningOpen},
		{"believes it when it says twice that none came", false, `"status":"error","error":"SRSP - AF - dataRequestExt after 6000ms"`, engine.ErrStickSilent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, b := world(t)
				z.run()
				z.permitJoin.Store(tt.joining)
				z.old, z.stickSays = true, tt.stick
				err := b.AskStick(t.Context())
				if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if z.permitJoin.Load() != tt.joining {
					t.Error("joining was changed")
				}
			})
		})
	}
}

// Our own words are no start of Zigbee2MQTT: devices go on being heard.
func TestCorrectIsNoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		time.Sleep(time.Minute)
		z.publish("bridge/state", `{"state":"offline"}`, true)
		synctest.Wait()
		stirred := 0
		defer b.Stirs(func() { stirred++ })()
		if err := b.Correct(within(t, time.Minute), true); err != nil {
			t.Fatal(err)
		}
		if s := b.Signs(); !s.Bridge.Online || len(s.Broker.TakeOvers) != 0 || stirred == 0 {
			t.Errorf("put right: %+v, %d stirs", s, stirred)
		}
		z.publish("attic/lamp", `{"state":"OFF"}`, false)
		synctest.Wait()
		if !b.Signs().Heard.Equal(time.Now()) {
			t.Error("the lamp is not heard")
		}
	})
}
