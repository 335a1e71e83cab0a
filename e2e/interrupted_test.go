package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/failover/plan"
)

// A running is a z2mha whose output is read while it works.
type running struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

// begin starts a switchover to the cellar.
func (b *bench) begin() *running {
	b.Helper()
	cmd, _ := b.command("switchover", "--to", "cellar")
	r := &running{cmd: cmd}
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if cmd.ProcessState == nil { // the test gave up before end
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return r
}

func (b *bench) end(r *running) result {
	b.Helper()
	err := r.cmd.Wait()
	return b.finish(r.cmd, &r.out, err)
}

// reaches waits until the journal of the newest run says that a step has begun.
func (b *bench) reaches(act plan.Act) {
	b.Helper()
	b.eventually("step "+string(act)+" begins", func() bool {
		for _, e := range b.journal() {
			if e.Event == plan.EventBegin && strings.Contains(e.Step, "-"+string(act)+"-") {
				return true
			}
		}
		return false
	})
}

// journal is the record of all runs.
func (b *bench) journal() []plan.Entry {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(b.home.State(), "runs", "home", "*.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	var out []plan.Entry
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for line := range bytes.Lines(raw) {
			var e plan.Entry
			if json.Unmarshal(line, &e) == nil { // the last line may be under way
				out = append(out, e)
			}
		}
	}
	return out
}

// TestCtrlC: a person who changes his mind in the middle gets the old state back.
func TestCtrlC(t *testing.T) {
	b := simulated(t).start()
	r := b.begin()
	b.reaches(plan.ActReadStick)
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	b.ends(b.end(r), exitRolledBack, "attic is active again")
	b.lampAnswersThrough(b.home.Attic)
	b.mediumIsClean()
}

// TestControllerDies kills z2mha in the middle of each step. The next z2mha brings
// the home to a state in which the lamp answers, and a switchover works.
func TestControllerDies(t *testing.T) {
	for _, act := range []plan.Act{
		plan.ActCopy, plan.ActStop, plan.ActFence, plan.ActReadStick, plan.ActFinalCopy,
		plan.ActLoad, plan.ActPromote, plan.ActStart, plan.ActProve,
	} {
		t.Run("in "+string(act), func(t *testing.T) {
			b := simulated(t).start()
			r := b.begin()
			b.reaches(act)
			if err := r.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			b.end(r)
			b.ends(b.z2mha("switchover", "--to", "cellar"), exitOK)
			b.lampAnswersThrough(b.home.Cellar)
			b.mediumIsClean()
		})
	}
}

// TestE2ETargetDies: the cellar's Zigbee2MQTT dies soon after it went on air; the lamp
// must answer through the attic's stick again, and the exit code must say so.
func TestE2ETargetDies(t *testing.T) {
	b := genuine(t).start()
	b.reconfigure(func(s string) string { return strings.Replace(s, "watch: 3s", "watch: 20s", 1) })
	r := b.begin()
	b.eventually("the cellar is on air", func() bool { return b.home.OnAir() == "cellar" })
	<-time.After(2 * time.Second) // the case to test
	if err := b.home.Cellar.Kill(); err != nil {
		t.Fatal(err)
	}
	b.ends(b.end(r), exitRolledBack, "attic is active again")
	b.lampAnswersThrough(b.home.Attic)
	if got := b.home.OnAir(); got != "attic" {
		t.Errorf("on air: %q, want attic only", got)
	}
	b.mediumIsClean()
}

// TestTargetNeverStarts: the same when the service does not come up at all.
func TestTargetNeverStarts(t *testing.T) {
	b := simulated(t).start()
	b.breakService(b.home.Cellar)
	b.reconfigure(func(s string) string { return strings.Replace(s, "start: 40s", "start: 5s", 1) })
	b.ends(b.z2mha("switchover", "--to", "cellar"), exitRolledBack, "attic is active again")
	b.lampAnswersThrough(b.home.Attic)
	b.mediumIsClean()
}
