package netbackup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/zigbee"
)

const key = "0102030405060708090a0b0c0d0e0fa0"

var (
	networkKey = zigbee.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xa0}
	unexported = cmp.AllowUnexported(netbackup.Backup{})
)

// backup is what Zigbee2MQTT writes, numbers unpadded, with own data.
const backup = `{
  "metadata": {
    "format": "zigpy/open-coordinator-backup",
    "version": 1,
    "source": "zigbee-herdsman@10.9.0",
    "internal": {"date": "2026-03-01T12:00:00.000Z", "znpVersion": 1}
  },
  "stack_specific": {"zstack": {"tclk_seed": "000102030405060708090a0b0c0d0e0f"}},
  "coordinator_ieee": "00124b00aa000001",
  "pan_id": "a62",
  "extended_pan_id": "c0ffee0011223344",
  "nwk_update_id": 3,
  "security_level": 5,
  "channel": 20,
  "channel_mask": [20],
  "network_key": {"key": "` + key + `", "sequence_number": 1, "frame_counter": 8750},
  "devices": [
    {"nwk_address": "1f", "ieee_address": "00158d0000000100", "is_child": false,
     "link_key": {"key": "` + key + `", "rx_counter": 12, "tx_counter": 34}},
    {"nwk_address": null, "ieee_address": "00158d0000000101"}
  ]
}`

func TestParse(t *testing.T) {
	b, err := netbackup.Parse([]byte(backup))
	if err != nil {
		t.Fatal(err)
	}
	wantIdentity := zigbee.Identity{PanID: 0x0a62, ExtPanID: 0xc0ffee0011223344, Channel: 20, IEEE: 0x00124b00aa000001,
		Key: networkKey, KeySeq: 1, UpdateID: 3}
	if diff := cmp.Diff(wantIdentity, b.Identity()); diff != "" {
		t.Error(diff)
	}
	wantDevices := []netbackup.Device{
		{IEEE: 0x00158d0000000100, Nwk: 0x1f, NwkKnown: true, LinkKey: &netbackup.LinkKey{Key: networkKey, Tx: 34, Rx: 12}},
		{IEEE: 0x00158d0000000101, Child: true},
	}
	if diff := cmp.Diff(wantDevices, b.Devices); diff != "" {
		t.Error(diff)
	}
	if b.FrameCounter != 8750 || !b.Date.Equal(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) || b.Source != "zigbee-herdsman@10.9.0" {
		t.Errorf("got %v, %v, %q", b.FrameCounter, b.Date, b.Source)
	}
	seed := zigbee.Key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	if b.SecurityLevel != 5 || b.Seed == nil || *b.Seed != seed || !slices.Equal(b.ChannelMask, []zigbee.Channel{20}) {
		t.Errorf("security level %d, seed %v, channels %v", b.SecurityLevel, b.Seed, b.ChannelMask)
	}
}

func TestNoKeyIsPrinted(t *testing.T) {
	b := parse(t, backup)
	var said bytes.Buffer
	slog.New(slog.NewJSONHandler(&said, nil)).Info("read", "backup", b, "identity", b.Identity(), "key", b.Devices[0].LinkKey, "seed", *b.Seed)
	asJSON, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	said.Write(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%q", "%d", "%s"} {
		fmt.Fprintf(&said, verb+verb+verb+verb+verb, b, *b, b.Identity(), *b.Devices[0].LinkKey, *b.Seed)
	}
	for _, secret := range []string{key, key[4:20], "000102030405", "1 2 3 4", "0x2, 0x3, 0x4", "2, 3, 4"} {
		if strings.Contains(strings.ToLower(said.String()), secret) {
			t.Errorf("%q was printed in %s", secret, said.String())
		}
	}
}

func parse(t *testing.T, text string) *netbackup.Backup {
	t.Helper()
	b, err := netbackup.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"a file cut off", backup[200:], "", "the file was cut off or edited"},
		{"something else", "zigpy/open-coordinator-backup", "zha", "this is no coordinator backup"},
		{"a later version", `"version": 1`, `"version": 2`, "metadata.version is 2, only 1 is known"},
		{"a missing key", `"network_key"`, `"network_kex"`, "network_key is missing"},
		{"a short key", `{"key": "01`, `{"key": "`, "network_key.key: want 32 hex digits, there are 30 characters"},
		{"a wrong address", `"00124b00aa000001"`, `"0x12"`, "coordinator_ieee: want up to 16 hex digits"},
		{"no PAN id", `"a62"`, `""`, "pan_id is missing"},
		{"a channel out of range", `"channel": 20`, `"channel": 2`, "channel is 2, want 11 to 26"},
		{"a wrong type", `"a62"`, `98`, "pan_id: want a string, not a number"},
		{"a wrong device", `"1f"`, `"xx"`, "devices[0].nwk_address: want up to 4 hex digits"},
		{"a short seed", `"tclk_seed": "00`, `"tclk_seed": "`, "stack_specific.zstack.tclk_seed: want 32 hex digits, there are 30 characters"},
		{"a link key that is none", `"link_key": {"key": "0`, `"link_key": {"key": "g`, "devices[0].link_key.key: want 32 hex digits"},
		{"a counter out of range", `"rx_counter": 12`, `"rx_counter": 4294967296`, "devices.link_key.rx_counter: want a uint32, not a number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := netbackup.Parse([]byte(strings.Replace(backup, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), key[2:]) {
				t.Error("the error holds a key")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(backup))
	f.Add([]byte(strings.NewReplacer(`"a62"`, `"0a62"`, `"1f"`, `"001f"`).Replace(backup)))
	f.Add([]byte(`{"metadata":{"format":"zigpy/open-coordinator-backup","version":1},"stack_specific":null,"devices":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := netbackup.Parse(data)
		if strict, strictErr := netbackup.ParseStrict(data); strictErr == nil && (err != nil || !cmp.Equal(strict, b, unexported)) {
			t.Errorf("strictly it is %v, leniently %v, %v", strict, b, err)
		}
		if err != nil {
			return
		}
		if _, err := b.Encode(); err != nil && !errors.As(err, new(*netbackup.DeviationError)) {
			t.Errorf("written: %v", err)
		}
	})
}
