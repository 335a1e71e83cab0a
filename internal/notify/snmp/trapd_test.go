package snmp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/notify/snmp"
)

// community is the one that our snmptrapd accepts.
const community = "test-community-6417"

// A trapd is a real snmptrapd on a port of loopback.
type trapd struct {
	t       testing.TB
	address string
	traps   chan string // decoded, one object in each line
}

// names makes snmptrapd show names; numbers, as where no MIB is loaded.
var (
	names   = []string{"-m", "Z2MHA-MIB:SNMPv2-MIB"}
	numbers = []string{"-m", "", "-On"}
)

// starting is held from the choice of a port until snmptrapd has it: two of them can
// open the same, and then only one hears.
var starting sync.Mutex

// startTrapd starts snmptrapd, and again on another port when somebody else was
// quicker to take the one that was free.
func startTrapd(t testing.TB, show []string) *trapd {
	t.Helper()
	need(t, "snmptrapd")
	starting.Lock()
	defer starting.Unlock()
	for range 5 {
		if d := tryTrapd(t, freePort(t), show); d != nil {
			return d
		}
	}
	t.Fatal("snmptrapd does not start; run it by hand: snmptrapd -f -C -Lo udp:127.0.0.1:16200")
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

// tryTrapd returns nil when snmptrapd has ended before it was ready.
func tryTrapd(t testing.TB, address string, show []string) *trapd {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "trapd.conf") // without a comma: -c takes a list
	if err := os.WriteFile(conf, []byte("authCommunity log "+community+"\ndoNotRetainNotificationLogs yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-f", "-n", "-X", "-C", "-c", conf, "-p", filepath.Join(dir, "pid"), "-Lo", "-F", `begin\n%V\n%v\nend\n`}, show...)
	cmd := netSNMP(t, "snmptrapd", absolute(t, standIns), append(args, "udp:"+address)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &trapd{t: t, address: address, traps: make(chan string, 1000)}
	ready := make(chan bool, 1)
	var reading sync.WaitGroup
	reading.Go(func() { d.read(out, ready) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait()
	})
	if !<-ready {
		return nil
	}
	return d
}

// read says on ready whether snmptrapd has begun, and then passes on its traps.
func (d *trapd) read(out io.Reader, ready chan<- bool) {
	defer func() {
		select {
		case ready <- false:
		default:
		}
		close(d.traps)
	}()
	lines := bufio.NewScanner(out)
	var inside []string
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "NET-SNMP version") && !strings.Contains(line, "Stopped"):
			ready <- true
		case line == "begin":
			inside = []string{}
		case line == "end":
			d.traps <- strings.Join(inside, "\n") + "\n"
			inside = nil
		case inside != nil:
			inside = append(inside, line)
		}
	}
}

// wait returns the next n traps.
func (d *trapd) wait(n int) []string {
	d.t.Helper()
	var got []string
	late := time.After(20 * time.Second)
	for range n {
		select {
		case trap, ok := <-d.traps:
			if !ok {
				d.t.Fatalf("snmptrapd ended after %d of %d traps", len(got), n)
			}
			got = append(got, trap)
		case <-late:
			d.t.Fatalf("%d of %d traps arrived", len(got), n)
		}
	}
	return got
}

// receiver is how to reach d.
func (d *trapd) receiver(format snmp.Format) snmp.Receiver {
	return snmp.Receiver{Address: d.address, Community: snmp.NewCommunity(community), Format: format}
}

// golden compares got with a file of testdata, or writes it.
func golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *snmp.Update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; -update rewrites it\n%s", file, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}
