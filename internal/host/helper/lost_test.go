package helper_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/helperapi"
)

// A bench is a stick, an image and the helper that is to bring them together.
type bench struct {
	*testing.T
	stick *znpsim.Dongle
	port  string
	state string
}

// Check makes a bench a checker.
func (b bench) Check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// newBench has a stick slow enough to be caught in the middle of a write.
func newBench(t *testing.T) bench { return newBenchWith(t, nvimagetest.Reset(spare), time.Millisecond) }

func newBenchWith(t *testing.T, memory *nvimage.Image, latency time.Duration) bench {
	t.Parallel()
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "B", Hardware: spare, Image: memory, Latency: latency})
	b := bench{T: t, stick: stick, state: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	b.port = serve(ctx, b, stick, "pty", filepath.Join(b.state, "tty"))
	return b
}

// helper prepares the write under run-1; its standard input is the image.
func (b bench) helper() *exec.Cmd {
	argv := helperapi.WriteArgs{
		Image: helperapi.Stdin, Port: b.port, Run: "run-1", FromRevision: nvimagetest.Stick.Revision, State: b.state,
		Keep: filepath.Join(b.state, "kept"),
	}.Argv()
	cmd := exec.Command("znp-helper", argv...)
	cmd.Stdin = bytes.NewReader(nvimagetest.Formed().Encode())
	return cmd
}

// startWrite returns a helper that is in the middle of writing, and its output.
func (b bench) startWrite() (*exec.Cmd, io.ReadCloser) {
	b.Helper()
	return b.startUntilWrite(b.helper())
}

func (b bench) startUntilWrite(cmd *exec.Cmd) (*exec.Cmd, io.ReadCloser) {
	b.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	b.Check(err)
	b.Check(cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m, err := helperapi.ParseLine(lines.Bytes())
		b.Check(err)
		if m.Progress != nil && m.Progress.Step == "write" {
			return cmd, out
		}
	}
	b.Fatal("the helper ended before it wrote")
	return nil, nil
}

// attach asks for the same run again and returns its result.
func (b bench) attach() helperapi.WriteResult {
	b.Helper()
	cmd := b.helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v: %s", err, stderr.String())
	}
	result, err := helperapi.Result[helperapi.WriteResult](out)
	b.Check(err)
	return result
}

// whole checks that the stick holds the image and that its first content was kept.
func (b bench) whole(r helperapi.WriteResult) {
	b.Helper()
	if !b.stick.Image().Configured() || b.stick.State() != znpsim.StateHold || r.State != helperapi.StateHold {
		b.Errorf("configured %v, state %v, result %+v", b.stick.Image().Configured(), b.stick.State(), r)
	}
	id, err := b.stick.Image().Identity()
	b.Check(err)
	want, err := nvimagetest.Formed().Identity()
	b.Check(err)
	if diff := id.Differences(want); len(diff) > 0 {
		b.Errorf("the stick is another coordinator: %v", diff)
	}
	data, err := os.ReadFile(r.KeptPath)
	b.Check(err)
	kept, err := nvimage.Parse(data)
	b.Check(err)
	if kept.Configured() || kept.Hash() != r.KeptHash {
		b.Errorf("kept is not what the stick held at first: %s", r.KeptPath)
	}
}

func TestWriteGoesOnWhenTheConnectionIsLost(t *testing.T) {
	b := newBench(t)
	first, out := b.startWrite()
	b.Check(out.Close()) // what is written from now on meets a closed pipe
	b.Check(first.Process.Signal(syscall.SIGHUP))
	r := b.attach()
	if r.Report.Boots != 1 {
		t.Errorf("report %+v", r.Report)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("the first helper ended with %v", err)
	}
	b.whole(r)
}

func TestWriteIsResumedWhenTheHelperDied(t *testing.T) {
	b := newBench(t)
	first, _ := b.startWrite()
	b.Check(first.Process.Kill())
	_ = first.Wait()
	if b.stick.Image().Configured() {
		t.Fatal("a half-written stick looks commissioned")
	}
	b.whole(b.attach())
}

func TestWriteStopsBetweenItems(t *testing.T) {
	b := newBench(t)
	first, _ := b.startWrite()
	b.Check(first.Process.Signal(syscall.SIGTERM))
	_ = first.Wait()
	if got := helperapi.Exit(first.ProcessState.ExitCode()); got != helperapi.ExitInterrupted {
		t.Errorf("ended with %v", got)
	}
	b.whole(b.attach())
}

// patcher prepares a patch of many items under run-1.
func (b bench) patcher() *exec.Cmd {
	b.Helper()
	argv := helperapi.PatchArgs{Port: b.port, Run: "run-1", Reset: true, State: b.state, Keep: filepath.Join(b.state, "kept")}.Argv()
	text, err := json.Marshal(patchOf(nvimagetest.Formed(), crowded()))
	b.Check(err)
	cmd := exec.Command("znp-helper", argv...)
	cmd.Stdin = bytes.NewReader(text)
	return cmd
}

// crowded is Formed after a hundred devices have joined.
func crowded() *nvimage.Image {
	m := nvimagetest.Formed()
	for i := range uint16(100) {
		m.Set(nvimage.Entry(nvimage.AddrMgr, 100+i), append([]byte{2, 0xFF, byte(i), 0x12}, zigbee.IEEE(uint64(spare)+uint64(i)).LE()...))
	}
	return m
}

// A patch whose helper was killed or stopped, or whose connection was lost, is taken up
// again under its run id.
func TestPatchGoesOnUnderItsRun(t *testing.T) {
	tests := []struct {
		name string
		end  func(bench, *exec.Cmd, io.ReadCloser)
	}{
		{"when the connection is lost", func(b bench, first *exec.Cmd, out io.ReadCloser) {
			b.Check(out.Close())
			b.Check(first.Process.Signal(syscall.SIGHUP))
		}},
		{"when the helper died", func(b bench, first *exec.Cmd, _ io.ReadCloser) {
			b.Check(first.Process.Kill())
			_ = first.Wait()
			if b.stick.Image().Configured() {
				b.Fatal("a half-patched stick looks commissioned")
			}
		}},
		{"when it was stopped", func(b bench, first *exec.Cmd, _ io.ReadCloser) {
			b.Check(first.Process.Signal(syscall.SIGTERM))
			_ = first.Wait()
			if got := helperapi.Exit(first.ProcessState.ExitCode()); got != helperapi.ExitInterrupted {
				b.Errorf("ended with %v", got)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBenchWith(t, nvimagetest.Formed(), 5*time.Millisecond)
			first, out := b.startUntilWrite(b.patcher())
			test.end(b, first, out)
			again, err := b.patcher().Output()
			b.Check(err)
			r, err := helperapi.Result[helperapi.PatchResult](again)
			b.Check(err)
			want := crowded()
			want.Boot() // when it was plugged in
			want.Boot()
			if changes := nvimage.Diff(want, b.stick.Image()); len(changes) > 0 || r.Boots != 1 || r.State != helperapi.StateHold {
				t.Errorf("%v, result %+v", changes, r)
			}
			kept, err := os.ReadFile(r.KeptPath)
			b.Check(err)
			old, err := nvimage.ParsePart(kept)
			b.Check(err)
			if v, _ := old.Get(nvimage.Entry(nvimage.AddrMgr, 150)); old.Len() != 100 || v[0] != 0xFF {
				t.Errorf("kept %v, %x", old, v)
			}
		})
	}
}

func TestReadStopsWhenTheConnectionIsLost(t *testing.T) {
	b := newBench(t)
	cmd := exec.Command("znp-helper", helperapi.ReadArgs{Port: b.port, Attached: true}.Argv()...)
	in, err := cmd.StdinPipe()
	b.Check(err)
	out, err := cmd.StdoutPipe()
	b.Check(err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b.Check(cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "progress") {
		t.Fatalf("%q, %v", line, err)
	}
	b.Check(in.Close())
	_ = cmd.Wait()
	if e := helperapi.ParseError([]byte(stderr.String()), cmd.ProcessState.ExitCode()); e.Exit != helperapi.ExitInterrupted {
		t.Errorf("ended with %v", e)
	}
}
