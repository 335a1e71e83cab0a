package supervisor

import "context"

// A User of Home Assistant. Names are what people made up.
type User struct {
	ID    string
	Name  string
	Admin bool // owner, or an active member of the group of administrators
}

// groupAdmin is the id of the group of administrators. Source: homeassistant/auth/const.py.
const groupAdmin = "system-admin"

// UserList asks Home Assistant for everybody who can log in, and for its own helpers.
func (c *Client) UserList(ctx context.Context) ([]User, error) {
	var users []User
	err := c.persist(ctx, socketPath, func() (again bool, err error) {
		users, err = c.userList(ctx)
		return passes(err), err
	})
	return users, err
}

// Admins asks for the ids of those who may change things.
func (c *Client) Admins(ctx context.Context) ([]string, error) {
	users, err := c.UserList(ctx)
	var ids []string
	for _, u := range users {
		if u.Admin {
			ids = append(ids, u.ID)
		}
	}
	return ids, err
}

func (c *Client) userList(ctx context.Context) ([]User, error) {
	var answer []account
	if err := c.command(ctx, "config/auth/list", &answer); err != nil {
		return nil, err
	}
	users := make([]User, 0, len(answer))
	for _, a := range answer {
		users = append(users, User{ID: a.ID, Name: a.Name, Admin: a.admin()})
	}
	return users, nil
}

// An account is a user as Home Assistant lists it.
type account struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	IsOwner bool     `json:"is_owner"`
	Active  bool     `json:"is_active"`
	Groups  []string `json:"group_ids"`
}

// admin decides as Home Assistant does. Source: homeassistant/auth/models.py, is_admin.
func (a account) admin() bool {
	if a.IsOwner {
		return true
	}
	for _, g := range a.Groups {
		if g == groupAdmin {
			return a.Active
		}
	}
	return false
}
