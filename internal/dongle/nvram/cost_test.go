package nvram_test

import (
	"context"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/nvram"
)

// What reading and writing may cost on the wire, beside what zigpy-znp's tools take
// for the same work. Exchanges and bytes do not depend on the machine; time does.
const (
	maxReadExchanges  = 670
	maxReadBytes      = 21_100
	maxWriteExchanges = 345
)

// Counted on the same images; zigpy-znp neither compares nor reads back.
var (
	zigpyRead  = nvram.Cost{Exchanges: 1246, Bytes: 31_736}
	zigpyWrite = nvram.Cost{Exchanges: 1476, Bytes: 36_510}
)

func TestCostOnTheWire(t *testing.T) {
	formed, reset := nvimagetest.Formed(), nvimagetest.Reset(2)
	if dump, ok := nvimagetest.Published(t, "formed"); ok {
		formed = mustParse(t, dump)
	}
	if dump, ok := nvimagetest.Published(t, "reset"); ok {
		reset = mustParse(t, dump)
	}
	read := costOfReading(t, formed)
	report := costOfWriting(t, formed, reset)

	t.Logf("%-24s %9s %7s %8s %8s %8s", "", "exchanges", "bytes", "wire s", "5 ms", "15 ms")
	logRow(t, "read, ours", read)
	logRow(t, "read, zigpy-znp", zigpyRead)
	logRow(t, "load: compare", report.Compare)
	logRow(t, "load: write and reset", report.Write)
	logRow(t, "load: read back", report.ReadBack)
	logRow(t, "write, zigpy-znp", zigpyWrite)

	if read.Exchanges > maxReadExchanges || read.Bytes > maxReadBytes {
		t.Errorf("reading takes %d exchanges and %d bytes, at most %d and %d", read.Exchanges, read.Bytes, maxReadExchanges, maxReadBytes)
	}
	if report.Write.Exchanges > maxWriteExchanges {
		t.Errorf("writing takes %d exchanges, at most %d", report.Write.Exchanges, maxWriteExchanges)
	}
}

// logRow prints a cost with the time it takes at 115200 baud.
func logRow(t *testing.T, what string, c nvram.Cost) {
	t.Helper()
	const bytesPerSecond = 11_520
	wire := float64(c.Bytes) / bytesPerSecond
	t.Logf("%-24s %9d %7d %8.2f %8.2f %8.2f", what, c.Exchanges, c.Bytes, wire,
		wire+0.005*float64(c.Exchanges), wire+0.015*float64(c.Exchanges))
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
