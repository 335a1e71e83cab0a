package e2e_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

// TestPageMeasure prints what the page weighs and what the program holds in memory
// after a minute in which one browser looks; `make bench` runs it.
func TestPageMeasure(t *testing.T) {
	if os.Getenv("Z2MHA_MEASURE") == "" {
		return // it takes a minute and proves nothing; make bench runs it
	}
	a := simulated(t).start().addon()
	p := a.open()
	p.moveIsOffered(a.home.Cellar)
	p.weighs()
	t.Logf("memory (RSS) when the page was loaded: %s", residentOf(t, a.server.cmd.Process.Pid))
	select {
	case <-time.After(time.Minute): // what is measured is a minute of nothing
	case <-a.server.done:
		t.Fatalf("z2mha serve ended:\n%s", a.server.printed())
	}
	t.Logf("memory (RSS) a minute later, one browser looking: %s", residentOf(t, a.server.cmd.Process.Pid))
}

// weighs prints every file of the page as it came through ingress, which takes no
// compressed answers, and the sum.
func (p *tab) weighs() {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	sum := int64(0)
	for _, answer := range p.answers {
		size, ended := p.sizes[answer.id]
		if !ended || strings.HasPrefix(answer.URL, "data:") {
			continue
		}
		sum += size
		lines = append(lines, fmt.Sprintf("%7.1f kB  %s", float64(size)/1000, path.Base(answer.URL)))
	}
	slices.Sort(lines)
	p.Logf("the page, %.1f kB with headers, uncompressed:\n%s", float64(sum)/1000, strings.Join(lines, "\n"))
}

// An arrival is an answer with the request that it belongs to.
type arrival struct {
	*network.Response
	id network.RequestID
}

// residentOf is VmRSS of a process.
func residentOf(t *testing.T, pid int) string {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if size, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(size)
		}
	}
	t.Fatal("the system does not tell VmRSS")
	return ""
}
