package e2e_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// TestRefusedCaptures: what a stand-by must never get is shown and kept, changes nothing
// there, and is taken only when a person says so.
func TestRefusedCaptures(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(b *bench)
		says  string
	}{
		{"an emptied database", func(b *bench) {
			b.edit(b.home.Attic, "database.db", func(s string) string { return strings.SplitAfter(s, "\n")[0] })
		}, "holds no device"},
		{"a device that went without a leave", func(b *bench) {
			b.edit(b.home.Attic, "database.db", func(s string) string { return strings.Join(strings.SplitAfter(s, "\n")[:3], "") })
		}, "not seen to leave"},
		{"a stick that was exchanged", func(b *bench) {
			b.exchanges(func(m *nvimage.Image) { m.Set(nvimage.OSAL(nvimage.ExtAddr), zigbee.IEEE(0x00124b0029a1cfff).LE()) })
		}, "coordinator address"},
		{"a stick that was put back to an earlier day", func(b *bench) {
			b.exchanges(lowCounters)
		}, "frame counter"},
		{"another channel", func(b *bench) {
			b.exchanges(func(m *nvimage.Image) {
				nib, _ := m.Get(nvimage.OSAL(nvimage.Nib))
				nib[24], nib[42] = 25, 0
				nib[43] = 2 // the mask of channel 25
				m.Set(nvimage.OSAL(nvimage.Nib), nib)
			})
			b.edit(b.home.Attic, "configuration.yaml", func(s string) string { return strings.Replace(s, "channel: 20", "channel: 25", 1) })
		}, "channel"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := simulated(t).start()
			b.ends(b.z2mha("seed"), exitOK)
			b.ends(b.z2mha("sync"), exitOK)
			before := b.fingerprint()
			b.whileStopped(tc.spoil)
			r := b.z2mha("sync")
			b.ends(r, exitRefused, tc.says, "z2mha accept")
			for name, hash := range b.fingerprint() {
				if strings.HasPrefix(name, "cellar") && before[name] != hash {
					t.Errorf("%s changed", name)
				}
			}
			number := refusedNumber(t, r.out)
			b.ends(b.z2mha("accept", number), exitRefused, "confirm")
			b.ends(b.z2mha("accept", number, "--confirm", "accept "+number), exitOK)
			b.ends(b.z2mha("sync"), exitOK)
		})
	}
}

// whileStopped does something to the attic that Zigbee2MQTT must not be up to see.
func (b *bench) whileStopped(do func(*bench)) {
	b.Helper()
	if err := b.home.Attic.Service(b.Context(), "stop"); err != nil {
		b.Fatal(err)
	}
	do(b)
	if err := b.home.Attic.Service(b.Context(), "start"); err != nil {
		b.Fatal(err)
	}
	b.eventually("Zigbee2MQTT runs on the attic again", func() bool { return b.home.Attic.PID() != 0 })
}

// exchanges plugs a stick into the attic that holds what its own did, but for a change.
func (b *bench) exchanges(change func(*nvimage.Image)) {
	b.Helper()
	memory := b.home.Attic.Dongle.Image()
	change(memory)
	if err := b.home.Exchange(context.WithoutCancel(b.Context()), b.home.Attic, memory); err != nil {
		b.Fatal(err)
	}
}

// lowCounters takes every copy of the network's counter back to 1000.
func lowCounters(m *nvimage.Image) {
	for _, id := range m.IDs() {
		v, _ := m.Get(id)
		switch {
		case id == nvimage.OSAL(nvimage.NwkKey):
			copy(v[20:], []byte{0xE8, 3, 0, 0})
		case id.Item == nvimage.NwkSecMaterialTable && v[0]|v[1]|v[2]|v[3] != 0:
			copy(v, []byte{0xE8, 3, 0, 0})
		default:
			continue
		}
		m.Set(id, v)
	}
}

func refusedNumber(t *testing.T, out string) string {
	t.Helper()
	_, rest, ok := strings.Cut(out, "z2mha accept ")
	if !ok {
		t.Fatal("no number to accept was named")
	}
	number := strings.Fields(rest)[0]
	if _, err := strconv.Atoi(number); err != nil {
		t.Fatalf("%q is no number", number)
	}
	return number
}
