package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/bus"
	"z2mha/internal/bus/bustest"
)

const somewhere = "mqtt://broker.test"

func dial(t testing.TB, b *bustest.Broker, cfg bus.Config) *bus.Conn {
	t.Helper()
	cfg.Server, cfg.Dialer = somewhere, b.Dial
	c, err := bus.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// listen collects what a subscription hears.
func listen(t testing.TB, c *bus.Conn, filter string) <-chan string {
	t.Helper()
	heard := make(chan string, 100)
	_, err := c.Subscribe(t.Context(), filter, func(m bus.Message) {
		kept := ""
		if m.Retained {
			kept = " (kept)"
		}
		heard <- m.Topic + "=" + string(m.Payload) + kept
	})
	if err != nil {
		t.Fatal(err)
	}
	return heard
}

func TestMessagesComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.New(t)
		b.Publish("z/a", "old", true)
		c := dial(t, b, bus.Config{})
		heard := listen(t, c, "z/#")
		var want []string
		want = append(want, "z/a=old (kept)")
		for i := range 50 {
			if err := c.Publish(t.Context(), bus.Message{Topic: "z/b", Payload: fmt.Append(nil, i), Retained: true}); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("z/b=%d", i))
		}
		var got []string
		for range want {
			got = append(got, <-heard)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAHandlerMayPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.New(t)
		c := dial(t, b, bus.Config{})
		if _, err := c.Subscribe(t.Context(), "ping", func(bus.Message) {
			if err := c.Publish(t.Context(), bus.Message{Topic: "pong"}); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		heard := listen(t, c, "pong")
		b.Publish("ping", "", false)
		<-heard
	})
}

func TestACancelledSubscriptionHearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.New(t)
		c := dial(t, b, bus.Config{})
		cancel, err := c.Subscribe(t.Context(), "z/a", func(m bus.Message) { t.Errorf("heard %s", m.Payload) })
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		b.Publish("z/a", "x", false)
		synctest.Wait()
	})
}

func TestItComesBackAndRenewsItsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.New(t)
		c := dial(t, b, bus.Config{})
		var log []string
		c.Watch(func(s bus.Status) { log = append(log, fmt.Sprint("connected ", s.Connected)) })
		if _, err := c.Subscribe(t.Context(), "z/a", func(m bus.Message) { log = append(log, string(m.Payload)) }); err != nil {
			t.Fatal(err)
		}
		b.Publish("z/a", "one", false)
		synctest.Wait()
		b.Stop()
		synctest.Wait()
		err := c.Publish(t.Context(), bus.Message{Topic: "z/a"})
		var gone *bus.UnreachableError
		if !errors.As(err, &gone) {
			t.Errorf("publish without a broker: %v", err)
		}
		time.Sleep(time.Hour)
		b.Start()
		b.Publish("z/a", "kept", true)
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.Publish("z/a", "two", false)
		synctest.Wait()
		got := strings.Join(compact(log), ", ")
		if want := "connected true, one, connected false, connected true, kept, two"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func compact(log []string) []string {
	var out []string
	for _, line := range log {
		if len(out) == 0 || out[len(out)-1] != line {
			out = append(out, line)
		}
	}
	return out
}

func TestTheWillTellsOfADeadConnectionOnly(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*bustest.Broker, *bus.Conn)
		want string
	}{
		{"it speaks after a cut", func(b *bustest.Broker, _ *bus.Conn) { b.CutAll() }, "us=gone"},
		{"it is silent after a good-bye", func(_ *bustest.Broker, c *bus.Conn) { c.Close() }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := bustest.New(t)
				mortal := dial(t, b, bus.Config{Will: &bus.Message{Topic: "us", Payload: []byte("gone"), Retained: true}})
				c.end(b, mortal)
				synctest.Wait()
				heard := listen(t, dial(t, b, bus.Config{}), "us")
				synctest.Wait()
				select {
				case got := <-heard:
					if got != c.want+" (kept)" {
						t.Errorf("heard %q", got)
					}
				default:
					if c.want != "" {
						t.Error("heard nothing")
					}
				}
			})
		})
	}
}

func TestDialSaysWhyNot(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   bus.Config
		stop  bool
		login bool
		want  string
	}{
		{"a wrong password", bus.Config{User: "z2mha", Password: "wrong-pw"}, false, true, `broker mqtt://broker.test:1883 refuses the login of user "z2mha"`},
		{"no user", bus.Config{}, false, true, "refuses a login without user and password"},
		{"no broker", bus.Config{User: "z2mha", Password: "wrong-pw"}, true, false, "broker mqtt://broker.test:1883 cannot be reached: connection refused; check mqtt.server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := bustest.New(t, bustest.Rule{User: "z2mha", Password: "right"})
				if c.stop {
					b.Stop()
				}
				c.cfg.Server, c.cfg.Dialer = somewhere, b.Dial
				_, err := bus.Dial(t.Context(), c.cfg)
				var login *bus.LoginError
				if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &login) != c.login {
					t.Errorf("got %v\nwant %s", err, c.want)
				}
				if err != nil && strings.Contains(err.Error(), "wrong-pw") {
					t.Errorf("tells the password: %v", err)
				}
			})
		})
	}
}

func TestSubscribeSaysWhenTheBrokerForbidsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.New(t, bustest.Rule{User: "z2mha", Password: "x", Unreadable: "z/bridge/info"})
		c := dial(t, b, bus.Config{User: "z2mha", Password: "x"})
		_, err := c.Subscribe(t.Context(), "z/bridge/info", func(bus.Message) {})
		if err == nil || !strings.Contains(err.Error(), `give user "z2mha" the right to read that topic`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDialRefusesAServerItCannotRead(t *testing.T) {
	for server, want := range map[string]string{
		"":                  "must look like mqtt://host:1883",
		"192.0.2.1:1883":    "must look like",
		"http://x":          `begins with "http://"`,
		"mqtt://":           "must look like",
		"mqtt://u:s3cr%zz@": "must look like",
	} {
		_, err := bus.Open(bus.Config{Server: server})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func TestABrokerThatSaysNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				buf := make([]byte, 100)
				for {
					if _, err := far.Read(buf); err != nil {
						return
					}
				}
			}()
			return near, nil
		}
		_, err := bus.Dial(t.Context(), bus.Config{Server: somewhere, Dialer: silent})
		var gone *bus.UnreachableError
		if !errors.As(err, &gone) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := bus.Dial(ctx, bus.Config{Server: somewhere, Dialer: silent}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/b/c", false}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/b/c", false},
		{"a/#", "a", true}, {"a/#", "a/b/c", true}, {"#", "a/b", true}, {"#", "$SYS/x", false}, {"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true}, {"a/+/c", "a//c", true}, {"a", "b", false},
	} {
		if got := bus.Match(c.filter, c.topic); got != c.want {
			t.Errorf("%s %s: %v", c.filter, c.topic, got)
		}
	}
}
