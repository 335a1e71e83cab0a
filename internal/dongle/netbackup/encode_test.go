package netbackup_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

// written is backup as Zigbee2MQTT writes it, hex padded.
const written = `{
  "metadata": {
    "format": "zigpy/open-coordinator-backup",
    "version": 1,
    "source": "zigbee-herdsman@10.9.0",
    "internal": {
      "date": "2026-03-01T12:00:00.000Z",
      "znpVersion": 1
    }
  },
  "stack_specific": {
    "zstack": {
      "tclk_seed": "000102030405060708090a0b0c0d0e0f"
    }
  },
  "coordinator_ieee": "00124b00aa000001",
  "pan_id": "0a62",
  "extended_pan_id": "c0ffee0011223344",
  "nwk_update_id": 3,
  "security_level": 5,
  "channel": 20,
  "channel_mask": [
    20
  ],
  "network_key": {
    "key": "` + key + `",
    "sequence_number": 1,
    "frame_counter": 8750
  },
  "devices": [
    {
      "nwk_address": "001f",
      "ieee_address": "00158d0000000100",
      "is_child": false,
      "link_key": {
        "key": "` + key + `",
        "rx_counter": 12,
        "tx_counter": 34
      }
    },
    {
      "nwk_address": null,
      "ieee_address": "00158d0000000101",
      "is_child": true
    }
  ]
}`

func TestEncodeWritesTheFileAsZigbee2MQTTDoes(t *testing.T) {
	got, err := parse(t, backup).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestParseStrict(t *testing.T) {
	if _, err := netbackup.ParseStrict([]byte(written)); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"a short PAN id", `"0a62"`, `"a62"`, "pan_id: want 4 hex digits, there are 3 characters"},
		{"a short address", `"001f"`, `"1f"`, "devices[0].nwk_address: want 4 hex digits, there are 2 characters"},
		{"an address that is not told", `"nwk_address": null,`, ``, "devices[1].nwk_address is missing"},
		{"no device address", `"ieee_address": "00158d0000000101"`, `"ieee": 1`, "devices[1].ieee_address is missing"},
		{"another security level", `"security_level": 5`, `"security_level": 0`, "security_level is 0, want 5"},
		{"no security level", `"security_level": 5,`, ``, "security_level is missing"},
		{"no update id", `"nwk_update_id": 3,`, ``, "nwk_update_id is missing"},
		{"a source without version", `-herdsman@10.9.0`, ``, "metadata.source: want a program and its version"},
		{"no source", `"source"`, `"origin"`, "metadata.source is missing"},
		{"no metadata", `"metadata"`, `"meta"`, "metadata is missing"},
		{"another format", `zigpy/open`, `zigpy/closed`, "metadata.format is"},
		{"a later version", `"version": 1`, `"version": 2`, "metadata.version is 2, want 1"},
		{"no channels", `"channel_mask"`, `"channels"`, "channel_mask is missing"},
		{"a channel out of range", "[\n    20\n  ]", "[20, 27]", "channel_mask[1] is 27, want 11 to 26"},
		{"a channel that is no number", `"channel": 20`, `"channel": "20"`, "channel: want a number"},
		{"half a channel", `"channel": 20`, `"channel": 20.5`, "channel is 20.5, want 11 to 26"},
		{"no network key", `"network_key"`, `"nwk_key"`, "network_key is missing"},
		{"no key sequence", `"sequence_number": 1,`, ``, "network_key.sequence_number is missing"},
		{"a counter below zero", `"frame_counter": 8750`, `"frame_counter": -1`, "network_key.frame_counter is -1, want 0 to 4294967295"},
		{"no receive counter", `"rx_counter": 12,`, ``, "devices[0].link_key.rx_counter is missing"},
		{"a short seed", `"000102030405060708090a0b0c0d0e0f"`, `"00"`, "stack_specific.zstack.tclk_seed: want 32 hex digits"},
		{"a child that is not yes or no", `"is_child": true`, `"is_child": 1`, "devices[1].is_child: want true or false"},
		{"devices that are no list", `"devices": [`, `"devices": {}, "x": [`, "devices: want a list"},
		{"something behind the end", "true\n    }\n  ]\n}", "true\n    }\n  ]\n} x", "the file was cut off or edited"},
	}
	for _, test := range tests {
		t.Run("it names "+test.name, func(t *testing.T) {
			text := strings.Replace(written, test.old, test.new, 1)
			if text == written {
				t.Fatal("nothing was changed")
			}
			_, err := netbackup.ParseStrict([]byte(text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), key) {
				t.Error("the error holds a key")
			}
		})
	}
}

func TestParseStrictNamesEveryDeviation(t *testing.T) {
	var deviations *netbackup.DeviationError
	_, err := netbackup.ParseStrict([]byte(strings.Replace(backup, `"security_level": 5`, `"security_level": 4`, 1)))
	if !errors.As(err, &deviations) {
		t.Fatal(err)
	}
	want := []string{
		"pan_id: want 4 hex digits, there are 3 characters",
		"security_level is 4, want 5",
		"devices[0].nwk_address: want 4 hex digits, there are 2 characters",
	}
	if diff := cmp.Diff(want, deviations.Deviations); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRefusesWhatIsNotWhole(t *testing.T) {
	b := parse(t, strings.NewReplacer("zigbee-herdsman@10.9.0", "somebody", `"security_level": 5,`, "").Replace(backup))
	var deviations *netbackup.DeviationError
	if _, err := b.Encode(); !errors.As(err, &deviations) || len(deviations.Deviations) != 2 {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := nvimagetest.Formed()
		b, err := netbackup.FromImage(m, "z2mha@"+rapid.StringMatching(`[0-9.]{1,8}`).Draw(t, "version"), anyTime(t))
		if err != nil {
			t.Fatal(err)
		}
		b.Devices = anyDevices(t, nil)
		b.FrameCounter = anyCounter(t, "network counter")
		if rapid.Bool().Draw(t, "no seed") {
			b.Seed = nil
		}
		data, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func([]byte) (*netbackup.Backup, error){"Parse": netbackup.Parse, "ParseStrict": netbackup.ParseStrict} {
			got, err := read(data)
			if err != nil || !cmp.Equal(b, got, unexported) {
				t.Fatalf("%s: %v\n%s", name, err, cmp.Diff(b, got, unexported))
			}
		}
	})
}

func anyTime(t *rapid.T) time.Time {
	return time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC()
}

func anyCounter(t *rapid.T, label string) zigbee.FrameCounter {
	return zigbee.FrameCounter(rapid.Uint32().Draw(t, label))
}
