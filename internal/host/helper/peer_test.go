package helper_test

import (
	"io"
	"net"

	"github.com/rogpeppe/go-internal/testscript"
)

// startPeer listens as something that is no ZNP and puts its address into a
// variable: peer NAME silence|ezsp.
func startPeer(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], "tcp://"+l.Addr().String())
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go talk(conn, args[1])
		}
	}()
}

// ashReset is how an EmberZNet stick announces itself: the end flag 0x7E gives it away.
var ashReset = []byte{0xC1, 0x02, 0x0B, 0x0A, 0x52, 0x7E}

func talk(conn net.Conn, kind string) {
	defer conn.Close()
	if kind == "ezsp" {
		_, _ = conn.Write(ashReset)
	}
	_, _ = io.Copy(io.Discard, conn)
}
