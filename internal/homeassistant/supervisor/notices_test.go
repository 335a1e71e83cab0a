package supervisor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

// A board is running Notices with the questions that tests ask.
type board struct {
	*testing.T
	*supervisor.Notices
	fake *supervisortest.Fake
}

func atTheBoard(t *testing.T, o supervisortest.Options, test func(board)) {
	t.Helper()
	inBubble(t, o, func(t *testing.T, c *supervisor.Client, f *supervisortest.Fake) {
		n := supervisor.NewNotices(c, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		test(board{t, n, f})
		cancel()
		running.Wait()
	})
}

// expect says what is to be shown, as id=title/message, and how many calls succeeded so far.
func (b board) expect(sent int, want ...string) {
	b.Helper()
	synctest.Wait()
	shown := map[string]bool{}
	for id, n := range b.fake.Notifications() {
		shown[fmt.Sprintf("%s=%s/%s", id, n.Title, n.Message)] = true
	}
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w] = true
	}
	if diff := cmp.Diff(wanted, shown); diff != "" {
		b.Error(diff)
	}
	ok := 0
	for _, c := range b.fake.Calls() {
		if c.Status == http.StatusOK {
			ok++
		}
	}
	if ok != sent {
		b.Errorf("%d calls succeeded, not %d", ok, sent)
	}
}

func TestEachChangeIsSentOnce(t *testing.T) {
	atTheBoard(t, supervisortest.Options{}, func(b board) {
		b.expect(0)
		for range 10 {
			b.Set("home", "Title", "one")
			b.expect(1, "home=Title/one")
		}
		b.Set("home", "Title", "two")
		b.Set("attic", "Title", "three")
		b.expect(3, "home=Title/two", "attic=Title/three")
		b.Clear("home")
		b.Clear("home")
		b.expect(4, "attic=Title/three")
		time.Sleep(24 * time.Hour)
		b.expect(4, "attic=Title/three")
	})
}

func TestOneOfAnEarlierStartIsCleared(t *testing.T) {
	atTheBoard(t, supervisortest.Options{}, func(b board) {
		b.Clear("home")
		b.Clear("home")
		b.expect(1)
		if got := b.fake.Calls()[0]; !strings.HasSuffix(got.Path, "/dismiss") || got.Body != `{"notification_id":"home"}` {
			b.Errorf("sent %+v", got)
		}
	})
}

func TestNoticesWaitForHomeAssistant(t *testing.T) {
	atTheBoard(t, supervisortest.Options{CoreDown: true}, func(b board) {
		for i := range 1000 {
			b.Set("home", "Title", fmt.Sprint(i))
			b.Set("gone", "Title", fmt.Sprint(i))
			b.Clear("gone")
		}
		time.Sleep(10 * time.Minute)
		b.expect(0)
		if n := len(b.fake.Calls()); n > 30 {
			b.Errorf("tried %d times in ten minutes", n)
		}
		b.fake.SetCore(true)
		time.Sleep(30 * time.Second)
		b.expect(2, "home=Title/999")
	})
}

func TestNoticesWaitForTheSupervisor(t *testing.T) {
	atTheBoard(t, supervisortest.Options{NotReady: 3}, func(b board) {
		b.Set("home", "Title", "text")
		time.Sleep(time.Minute)
		b.expect(1, "home=Title/text")
	})
}

func TestHomeAssistantForgetsAndIsToldAgain(t *testing.T) {
	atTheBoard(t, supervisortest.Options{}, func(b board) {
		b.Set("b", "B", "text")
		b.Set("a", "A", "text")
		b.Set("c", "C", "text")
		b.Clear("c")
		b.expect(b.okSoFar(), "a=A/text", "b=B/text")
		before := b.okSoFar()
		b.fake.SetCore(false)
		b.fake.SetCore(true)
		b.expect(before)
		b.Renew()
		b.expect(before+2, "a=A/text", "b=B/text")
	})
}

func (b board) okSoFar() int {
	synctest.Wait()
	return len(b.fake.Calls())
}

// What was on its way when Home Assistant restarted may be lost with the rest.
func TestRenewWhileOneIsOnItsWay(t *testing.T) {
	atTheBoard(t, supervisortest.Options{}, func(b board) {
		const create = "POST /core/api/services/persistent_notification/create"
		arrived := make(chan struct{})
		goOn := make(chan struct{})
		b.fake.Handle(create, func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-goOn
			fmt.Fprint(w, "[]")
		})
		b.Set("home", "Title", "text")
		<-arrived
		b.fake.Handle(create, nil)
		b.Renew()
		close(goOn)
		b.expect(2, "home=Title/text")
	})
}

func TestARefusedNoticeIsNotRepeated(t *testing.T) {
	atTheBoard(t, supervisortest.Options{WithoutCoreAPI: true}, func(b board) {
		b.Set("home", "Title", "text")
		b.Set("attic", "Title", "text")
		time.Sleep(time.Hour)
		b.Set("home", "Title", "text")
		b.expect(0)
		if n := len(b.fake.Calls()); n != 2 {
			b.Errorf("asked %d times", n)
		}
	})
}

func TestRunEndsInTheMiddle(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done()
	}
	atTheBoard(t, supervisortest.Options{}, func(b board) {
		b.fake.Handle("POST /core/api/services/persistent_notification/create", hang)
		b.Set("home", "Title", "text")
		synctest.Wait()
	})
}
