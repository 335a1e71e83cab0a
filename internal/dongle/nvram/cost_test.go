package nvram_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znpsim"
)

// What reading and writing may cost on the wire, beside what zigpy-znp's tools take
// for the same work. Exchanges and bytes do not depend on the machine; time does.
const (
	maxReadExchanges  = 670
	maxReadBytes      = 21_100
	maxWriteExchanges = 345

	// With a stick that is known. Of patches the connecting is part, as is the proof of
	// silence.
	maxReadKnownExchanges = 590
	maxPatchExchanges     = 60
	maxActivateExchanges  = 15
)

// Counted on the same images; zigpy-znp neither compares nor reads back.
var (
	zigpyRead  = nvram.Cost{Exchanges: 1246, Bytes: 31_736}
	zigpyWrite = nvram.Cost{Exchanges: 1476, Bytes: 36_510}
)

func TestBudgetOnTheWire(t *testing.T) {
	formed, reset := referenceImages(t)
	read := costOfReading(t, formed)
	report := costOfWriting(t, formed, reset)

	t.Logf("%-28s %9s %7s", "on the wire", "exchanges", "bytes")
	logRow(t, "read, ours", read)
	logRow(t, "read, zigpy-znp", zigpyRead)
	logRow(t, "load: compare", report.Compare)
	logRow(t, "load: write and reset", report.Write)
	logRow(t, "load: read back", report.ReadBack)
	logRow(t, "write, zigpy-znp", zigpyWrite)
	t.Logf("%-28s %9s %7s %7s", "on a stick that is known", "exchanges", "bytes", "at most")
	known := costOfReadingKnown(t, formed)
	current, boots := costOfPatching(t, formed, joined(formed), false)
	warm, resets := costOfPatching(t, formed, formed, true)
	logTarget(t, "read known", known, maxReadKnownExchanges)
	logTarget(t, "keep current after one join", current, maxPatchExchanges)
	logTarget(t, "activate a warm stand-by", warm, maxActivateExchanges)
	if boots != 0 || resets != 1 {
		t.Errorf("%d resets to keep current and %d to activate, want none and one", boots, resets)
	}

	t.Logf("read: %.2f of the exchanges and %.2f of the bytes; write: %.2f and %.2f",
		ratio(read.Exchanges, zigpyRead.Exchanges), ratio(read.Bytes, zigpyRead.Bytes),
		ratio(report.Write.Exchanges, zigpyWrite.Exchanges), ratio(report.Write.Bytes, zigpyWrite.Bytes))

	if read.Exchanges > maxReadExchanges || read.Bytes > maxReadBytes {
		t.Errorf("reading takes %d exchanges and %d bytes, at most %d and %d", read.Exchanges, read.Bytes, maxReadExchanges, maxReadBytes)
	}
	if report.Write.Exchanges > maxWriteExchanges {
		t.Errorf("writing takes %d exchanges, at most %d", report.Write.Exchanges, maxWriteExchanges)
	}
}

// TestBudgetSeconds measures, in the emulator's own time, what the same work takes on
// a stick with wire pacing. Seconds are told, never judged.
func TestBudgetSeconds(t *testing.T) {
	formed, reset := referenceImages(t)
	t.Logf("%-28s %8s %8s %8s", "seconds at 115200 baud", "no wait", "5 ms", "15 ms")
	var read, load []time.Duration
	for _, latency := range []time.Duration{0, 5 * time.Millisecond, 15 * time.Millisecond} {
		read = append(read, secondsOf(t, formed, latency, func(ctx context.Context, c *znp.Client) error {
			_, err := nvram.Read(ctx, c, nil)
			return err
		}))
		load = append(load, secondsOf(t, reset, latency, func(ctx context.Context, c *znp.Client) error {
			_, err := nvram.Write(ctx, c, formed, byOurs)
			return err
		}))
	}
	t.Logf("%-28s %8.2f %8.2f %8.2f", "read", read[0].Seconds(), read[1].Seconds(), read[2].Seconds())
	t.Logf("%-28s %8.2f %8.2f %8.2f", "compare, write, read back", load[0].Seconds(), load[1].Seconds(), load[2].Seconds())
}

// secondsOf runs work on an emulated stick with wire pacing and returns how long the
// stick thought it took.
func secondsOf(t *testing.T, memory *nvimage.Image, latency time.Duration, work func(context.Context, *znp.Client) error) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		medium := znpsim.NewMedium(znpsim.MediumOptions{})
		stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "stick", Image: memory, Latency: latency,
			BytesPerSecond: znpsim.WireSpeed, Medium: medium})
		near, far := net.Pipe()
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- stick.Serve(ctx, far) }()
		c := znp.NewClient(near, znp.Options{})
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := work(ctx, c); err != nil {
			t.Fatal(err)
		}
		took = time.Since(began)
		cancel()
		_ = c.Close()
		<-served
		_ = medium.Close()
	})
	return took
}

// referenceImages are the published dumps where they are at hand, images of ours of
// the same shape otherwise.
func referenceImages(t *testing.T) (formed, reset *nvimage.Image) {
	t.Helper()
	formed, reset = nvimagetest.Formed(), nvimagetest.Reset(2)
	if dump, ok := nvimagetest.Published(t, "formed"); ok {
		formed = mustParse(t, dump)
	}
	if dump, ok := nvimagetest.Published(t, "reset"); ok {
		reset = mustParse(t, dump)
	}
	return formed, reset
}

func ratio[T int | int64](ours, theirs T) float64 { return float64(ours) / float64(theirs) }

func logRow(t *testing.T, what string, c nvram.Cost) {
	t.Helper()
	t.Logf("%-28s %9d %7d", what, c.Exchanges, c.Bytes)
}

func costOfReading(t *testing.T, m *nvimage.Image) nvram.Cost {
	t.Helper()
	c := newFake(m).dial(t)
	before := c.Stats()
	if _, err := nvram.Read(context.Background(), c, nil); err != nil {
		t.Fatal(err)
	}
	after := c.Stats()
	return nvram.Cost{
		Exchanges: after.Exchanges - before.Exchanges,
		Bytes:     int64(after.BytesIn + after.BytesOut - before.BytesIn - before.BytesOut),
	}
}

func logTarget(t *testing.T, what string, c nvram.Cost, most int) {
	t.Helper()
	t.Logf("%-28s %9d %7d %7d", what, c.Exchanges, c.Bytes, most)
	if c.Exchanges > most {
		t.Errorf("%s takes %d exchanges, at most %d", what, c.Exchanges, most)
	}
}

func costOfReadingKnown(t *testing.T, m *nvimage.Image) nvram.Cost {
	t.Helper()
	c := newFake(m).dial(t)
	before := c.Stats()
	if got, err := nvram.ReadKnown(context.Background(), c, m.Layout(), nil); err != nil || !got.Equal(m) {
		t.Fatal(err)
	}
	after := c.Stats()
	return nvram.Cost{
		Exchanges: after.Exchanges - before.Exchanges,
		Bytes:     int64(after.BytesIn + after.BytesOut - before.BytesIn - before.BytesOut),
	}
}

// costOfPatching counts everything on the line, the connecting too, and the boots.
func costOfPatching(t *testing.T, known, want *nvimage.Image, reset bool) (nvram.Cost, int) {
	t.Helper()
	f := newFake(known)
	c := f.dial(t)
	o := patchOurs
	o.Reset = reset
	if _, err := nvram.Patch(context.Background(), c, known, want, o); err != nil {
		t.Fatal(err)
	}
	s := c.Stats()
	return nvram.Cost{Exchanges: s.Exchanges, Bytes: int64(s.BytesIn + s.BytesOut)}, f.boots
}

func costOfWriting(t *testing.T, want, onto *nvimage.Image) nvram.WriteReport {
	t.Helper()
	report, err := nvram.Write(context.Background(), newFake(onto).dial(t), want, byOurs)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func mustParse(t *testing.T, dump []byte) *nvimage.Image {
	t.Helper()
	m, err := nvimage.Parse(dump)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
