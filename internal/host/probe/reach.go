package probe

import (
	"net"
	"time"

	"z2mha/internal/host/helperapi"
)

// reachTime is for a broker to accept a connection.
const reachTime = 2 * time.Second

// reach connects to address and says nothing there.
func reach(address string) *helperapi.Reach {
	r := &helperapi.Reach{Address: address}
	begun := time.Now()
	c, err := net.DialTimeout("tcp", address, reachTime)
	r.TookMS = time.Since(begun).Milliseconds()
	if err != nil {
		r.Why = err.Error()
		c, err = net.DialTimeout("udp", address, reachTime) // sends nothing, and finds the way
	}
	if err != nil {
		return r
	}
	defer c.Close()
	r.OK, r.Here = r.Why == "", isOurs(c)
	return r
}

// isOurs says that a connection leads to this very machine: what it sends to an address
// of its own has that address as the sender's, too.
func isOurs(c net.Conn) bool {
	host := func(a net.Addr) string { h, _, _ := net.SplitHostPort(a.String()); return h }
	return host(c.LocalAddr()) == host(c.RemoteAddr())
}
