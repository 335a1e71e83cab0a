package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	rosterFresh = 5 * time.Minute  // a list this young is believed
	rosterStale = time.Hour        // a list this young is believed of admins, when there is no newer one
	rosterPause = 10 * time.Second // between two tries to get a list
	rosterLimit = 10 * time.Second // for one try: a person waits
)

// Users remembers who is an administrator, so that not every click asks Home Assistant.
// What that means: who lost the right keeps it here for up to five minutes, and for up
// to an hour while Home Assistant does not answer. Everybody else needs a fresh answer.
type Users struct {
	client *Client
	turn   chan struct{} // holds one token: who has it may touch the rest and ask

	known  map[string]User
	asked  time.Time // last try that was not given up by its caller
	listed time.Time // last that worked
	err    error     // of the last try
}

// NewUsers returns an empty memory over c.
func NewUsers(c *Client) *Users {
	return &Users{client: c, turn: make(chan struct{}, 1)}
}

// IsAdmin says whether the user with this id may change things. The id is that of the
// header X-Remote-User-Id; "" is nobody. When it cannot be told the answer is no, with
// the reason.
func (u *Users) IsAdmin(ctx context.Context, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return false, fmt.Errorf("ask who is an administrator: %w", context.Cause(ctx))
	}
	user, ok := u.known[id]
	if u.younger(rosterFresh) && ok {
		return user.Admin, nil
	}
	if time.Since(u.asked) >= rosterPause {
		u.refresh(ctx)
		user, ok = u.known[id]
	}
	switch {
	case u.err == nil:
		return ok && user.Admin, nil
	case ok && user.Admin && u.younger(rosterStale):
		return true, nil
	}
	return false, fmt.Errorf("ask who is an administrator: %w", u.err)
}

func (u *Users) younger(than time.Duration) bool {
	return !u.listed.IsZero() && time.Since(u.listed) < than
}

// refresh asks once. A list without anybody is none.
func (u *Users) refresh(ctx context.Context) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, rosterLimit)
	defer cancel()
	list, err := u.client.userList(limited)
	if err != nil && ctx.Err() != nil { // the person left; the next one asks again
		u.err = context.Cause(ctx)
		return
	}
	if err == nil && len(list) == 0 {
		err = errors.New("the list of users is empty")
	}
	if err != nil && u.err == nil {
		u.client.log.Warn("cannot ask who is an administrator", "err", err)
	}
	u.asked, u.err = began, err
	if err != nil {
		return
	}
	u.listed, u.known = began, make(map[string]User, len(list))
	for _, user := range list {
		u.known[user.ID] = user
	}
}
