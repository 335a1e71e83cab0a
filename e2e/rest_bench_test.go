package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"z2mha/internal/world/home"
)

// TestBenchRest prints what `z2mha serve` costs while nothing happens, with 2 and with 20
// networks of two hosts each, everything but z2mha simulated. The stand-bys' sticks were
// never loaded, which makes no difference to looks and captures. `make bench` runs it.
func TestBenchRest(t *testing.T) {
	if os.Getenv("Z2MHA_MEASURE") == "" {
		return // it takes minutes and proves nothing; make bench runs it
	}
	for _, n := range []int{2, 20} {
		t.Run(fmt.Sprintf("%d networks", n), func(t *testing.T) { rests(t, n) })
	}
}

const (
	restSettles = time.Minute
	restLasts   = 2 * time.Minute
)

func rests(t *testing.T, n int) {
	broker := embedded(t, home.Login{})
	text, dir := "", folder(t)
	for i := range n {
		o := simulatedParts()
		o.Broker = broker
		b := assemble(t, o)
		topic := fmt.Sprintf("zigbee2mqtt-%d", i)
		for _, node := range b.home.Nodes() {
			b.edit(node, "configuration.yaml", func(s string) string {
				return strings.Replace(s, "base_topic: zigbee2mqtt\n", "base_topic: "+topic+"\n", 1)
			})
		}
		if err := b.home.Attic.Service(t.Context(), "start"); err != nil {
			t.Fatal(err)
		}
		_, network, _ := strings.Cut(b.home.Configuration(), "\nnetworks:\n")
		network, _, _ = strings.Cut(network, "\ntiming:")
		network = strings.Replace(network, "- name: home\n", fmt.Sprintf("- name: home%d\n", i), 1)
		text += strings.Replace(network, "base_topic: zigbee2mqtt\n", "base_topic: "+topic+"\n", 1)
	}
	s := served(t, settings(t, dir, "state: "+filepath.Join(dir, "state")+"\n"+anywhere+brokerAt(broker)+"networks:\n"+text))
	e := hear(t, broker, home.Login{})
	for i := range n {
		e.until(0, fmt.Sprintf("z2mha/home%d/state", i), `"active_node":"attic"`)
	}
	<-time.After(restSettles) // the first looks and captures are no rest
	began, used := time.Now(), processorTime(t, s.cmd.Process.Pid)
	<-time.After(restLasts) // what is measured is nothing happening
	spent, took := processorTime(t, s.cmd.Process.Pid)-used, time.Since(began)
	fmt.Printf("measured: %d networks at rest: %.2f %% of one processor, memory (RSS) %s\n", n, 100*spent.Seconds()/took.Seconds(), residentOf(t, s.cmd.Process.Pid))
}

// processorTime is what a process has used so far, in user and system.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100) // USER_HZ is 100 everywhere
}
