package z2msim

import (
	"encoding/json"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

// TestChooseStrategy is the table of what herdsman does. The rows that surprise are
// the ones a switchover must never run into.
func TestChooseStrategy(t *testing.T) {
	formed := nvimagetest.Formed()
	want, err := formed.Identity()
	if err != nil {
		t.Fatal(err)
	}
	other := want
	other.PanID++
	unfinished := formed.Clone()
	unfinished.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
	foreignAddress := formed.Clone()
	foreignAddress.Set(nvimage.OSAL(nvimage.ExtAddr), zigbee.IEEE(0x00124B0000000001).LE())
	empty := nvimagetest.Reset(0x00124B0000000002)

	for _, tc := range []struct {
		name   string
		config zigbee.Identity
		stick  *nvimage.Image
		saved  *openBackup
		want   strategy
	}{
		{"resumes a clone", want, formed, backupOf(t, formed), resumed},
		{"resumes without a backup file", want, formed, nil, resumed},
		{"resumes under another address without a word", want, foreignAddress, nil, resumed},
		{"restores onto an empty stick", want, empty, backupOf(t, formed), restored},
		{"restores onto a stick that lacks the flag", want, unfinished, backupOf(t, formed), restored},
		{"forms a new network on an empty stick without backup", want, empty, nil, reset},
		{"forms a new network when the backup is of another one", other, empty, backupOf(t, formed), reset},
		{"refuses a stick that only the backup knows", other, formed, backupOf(t, formed), mismatch},
		{"forms a new network over a foreign one without backup", other, formed, nil, reset},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := chooseStrategy(tc.config, tc.stick, tc.saved); got != tc.want {
				t.Errorf("chose %q, want %q", got, tc.want)
			}
		})
	}
}

func backupOf(t *testing.T, m *nvimage.Image) *openBackup {
	t.Helper()
	raw, err := EncodeBackup(m, time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	var b openBackup
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestBackupHoldsTheStick(t *testing.T) {
	b := backupOf(t, nvimagetest.Formed())
	children, linked := 0, 0
	for _, d := range b.Devices {
		if d.Child {
			children++
		}
		if d.LinkKey != nil {
			linked++
		}
	}
	if linked != nvimagetest.NumLinked || children == 0 {
		t.Errorf("backup has %d devices with link keys and %d children, want %d and some", linked, children, nvimagetest.NumLinked)
	}
	counters, err := nvimagetest.Formed().Counters()
	if err != nil {
		t.Fatal(err)
	}
	if b.NetworkKey.Counter != uint32(counters.NWK) {
		t.Errorf("backup has counter %d, want %d", b.NetworkKey.Counter, counters.NWK)
	}
}
