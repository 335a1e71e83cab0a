package bustest

import (
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A Rule says who may do what.
type Rule struct {
	User, Password string
	Unreadable     string // a filter that this user may not subscribe to
}

// access is the broker's door: everybody passes when there are no rules.
type access struct {
	mochi.HookBase
	rules []Rule
}

func (*access) ID() string { return "access" }

func (*access) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (a *access) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	for _, r := range a.rules {
		if r.User == string(pk.Connect.Username) && r.Password == string(pk.Connect.Password) {
			return true
		}
	}
	return len(a.rules) == 0
}

func (a *access) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	for _, r := range a.rules {
		if r.User == string(cl.Properties.Username) && r.Unreadable == topic && !write {
			return false
		}
	}
	return true
}
