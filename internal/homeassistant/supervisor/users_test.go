package supervisor_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

var people = []supervisortest.User{
	{ID: "owner", Name: "Zoë Ängström 名前", Owner: true, Groups: []string{"system-admin"}},
	{ID: "admin", Name: `<script>"x"</script>`, Groups: []string{"system-admin"}},
	{ID: "user", Name: "", Groups: []string{"system-users"}},
	{ID: "gone", Name: "gone", Inactive: true, Groups: []string{"system-admin"}},
	{ID: "none", Name: "none"},
}

func TestWhoIsAnAdministrator(t *testing.T) {
	c, f := start(t, supervisortest.Options{Users: people})
	list, err := c.UserList(t.Context())
	want := []supervisor.User{
		{ID: "owner", Name: "Zoë Ängström 名前", Admin: true},
		{ID: "admin", Name: `<script>"x"</script>`, Admin: true},
		{ID: "user"}, {ID: "gone", Name: "gone"}, {ID: "none", Name: "none"},
	}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Error(err, diff)
	}
	admins, err := c.Admins(t.Context())
	if diff := cmp.Diff([]string{"owner", "admin"}, admins); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if n := f.Count("GET /core/websocket"); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestManyUsers(t *testing.T) {
	users := make([]supervisortest.User, 2000)
	c, _ := start(t, supervisortest.Options{Users: users})
	if list, err := c.UserList(t.Context()); err != nil || len(list) != len(users) {
		t.Errorf("%d users, %v", len(list), err)
	}
}

// A door is Users with the questions that tests ask.
type door struct {
	t     *testing.T
	users *supervisor.Users
	fake  *supervisortest.Fake
}

func atTheDoor(t *testing.T, test func(door)) {
	t.Helper()
	inBubble(t, supervisortest.Options{Users: people}, func(t *testing.T, c *supervisor.Client, f *supervisortest.Fake) {
		test(door{t, supervisor.NewUsers(c), f})
	})
}

func (d door) expect(id string, want bool) {
	d.t.Helper()
	if is, err := d.users.IsAdmin(d.t.Context(), id); err != nil || is != want {
		d.t.Errorf("%s: %t, %v", id, is, err)
	}
}

func (d door) expectError(id string, want error) {
	d.t.Helper()
	if is, err := d.users.IsAdmin(d.t.Context(), id); is || err == nil || want != nil && !errors.Is(err, want) {
		d.t.Errorf("%s: %t, %v", id, is, err)
	}
}

func (d door) expectAsked(want int) {
	d.t.Helper()
	if n := d.fake.Count("GET /core/websocket"); n != want {
		d.t.Errorf("asked %d times, not %d", n, want)
	}
}

func TestUsersAreRememberedForFiveMinutes(t *testing.T) {
	atTheDoor(t, func(d door) {
		d.expect("", false)
		d.expectAsked(0)
		for range 20 {
			d.expect("owner", true)
			d.expect("user", false)
			d.expect("gone", false)
		}
		d.expectAsked(1)
		d.fake.SetUsers(supervisortest.User{ID: "user", Groups: []string{"system-admin"}})
		time.Sleep(5*time.Minute - time.Second)
		d.expect("user", false)
		time.Sleep(time.Second)
		d.expect("user", true)
		d.expect("owner", false)
		d.expectAsked(2)
	})
}

func TestAnUnknownUserIsAskedForEveryTenSeconds(t *testing.T) {
	atTheDoor(t, func(d door) {
		d.expect("admin", true)
		d.expect("new", false)
		d.expectAsked(1)
		time.Sleep(10 * time.Second)
		d.expect("new", false)
		d.expect("new", false)
		d.expectAsked(2)
		d.fake.SetUsers(supervisortest.User{ID: "new", Owner: true})
		time.Sleep(10 * time.Second)
		d.expect("new", true)
		d.expectAsked(3)
	})
}

func TestDoubtIsANo(t *testing.T) {
	atTheDoor(t, func(d door) {
		d.fake.SetCore(false)
		d.expectError("owner", supervisor.ErrCoreNotRunning)
		d.expectError("owner", supervisor.ErrCoreNotRunning)
		d.expectAsked(1)
		d.fake.SetCore(true)
		time.Sleep(10 * time.Second)
		d.expect("owner", true)
	})
}

func TestAKnownAdministratorStaysOneForAnHour(t *testing.T) {
	atTheDoor(t, func(d door) {
		d.expect("owner", true)
		d.fake.SetCore(false)
		time.Sleep(10 * time.Second)
		d.expectError("new", supervisor.ErrCoreNotRunning)
		d.expect("user", false) // the list is still fresh
		time.Sleep(5 * time.Minute)
		d.expect("owner", true)
		d.expectError("user", supervisor.ErrCoreNotRunning)
		time.Sleep(54 * time.Minute)
		d.expect("owner", true)
		time.Sleep(time.Minute)
		d.expectError("owner", supervisor.ErrCoreNotRunning)
	})
}

func TestAnEmptyListProvesNothing(t *testing.T) {
	atTheDoor(t, func(d door) {
		d.expect("owner", true)
		d.fake.SetUsers()
		time.Sleep(6 * time.Minute)
		d.expect("owner", true)
		d.expectError("user", nil)
	})
}

func TestManyAskAndOneAsksOn(t *testing.T) {
	atTheDoor(t, func(d door) {
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { d.expect("owner", true) })
		}
		group.Wait()
		d.expectAsked(1)
	})
}

func TestWhoeverLeavesDoesNotSpoilItForTheNext(t *testing.T) {
	atTheDoor(t, func(d door) {
		d.fake.Handle("GET /core/websocket", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if is, err := d.users.IsAdmin(within(d.t, time.Second), "owner"); is || !errors.Is(err, context.DeadlineExceeded) {
					d.t.Errorf("%t, %v", is, err)
				}
			})
		}
		group.Wait()
		d.expectError("owner", context.DeadlineExceeded) // the limit of one try
		d.fake.Handle("GET /core/websocket", nil)
		time.Sleep(10 * time.Second)
		d.expect("owner", true)
	})
}
