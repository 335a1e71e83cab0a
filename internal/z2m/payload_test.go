package z2m_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"z2mha/internal/z2m"
)

func TestParseState(t *testing.T) {
	for _, c := range []struct {
		payload    string
		online, ok bool
	}{
		{`{"state":"online"}`, true, true},
		{`{"state":"offline"}`, false, true},
		{"online", true, true},
		{"offline\n", false, true},
		{"", false, false},
		{`{"state":7}`, false, false},
		{`"online"`, false, false},
	} {
		online, err := z2m.ParseState([]byte(c.payload))
		if online != c.online || (err == nil) != c.ok {
			t.Errorf("%q: %v, %v", c.payload, online, err)
		}
	}
}

const info = `{"version":"2.14.1","commit":"x","coordinator":{"ieee_address":"0x00124b0000000001","type":"ZStack3x0","meta":{"revision":20240710}},
"network":{"channel":15,"pan_id":18977,"extended_pan_id":"0x0102030405060708"},"permit_join":true,"permit_join_end":1,
"config":{"z2mha":{"node":"attic"},"mqtt":{"user":"x"}},"config_schema":{"pad":%q}}`

func TestParseInfo(t *testing.T) {
	got, err := z2m.ParseInfo(fmt.Appendf(nil, info, strings.Repeat("x", 300_000)))
	if err != nil {
		t.Fatal(err)
	}
	want := z2m.Info{Node: "attic", Version: "2.14.1", Coordinator: 0x00124b0000000001, PanID: 0x4a21, ExtPanID: 0x0102030405060708, Channel: 15, Revision: 20240710, PermitJoin: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseInfoWithoutOurMarker(t *testing.T) {
	for _, marker := range []string{`"z2mha":"attic"`, `"z2mha":{"node":7}`, `"z2mha":null`, `"other":1`} {
		payload := strings.Replace(fmt.Sprintf(info, ""), `"z2mha":{"node":"attic"}`, marker, 1)
		if got, err := z2m.ParseInfo([]byte(payload)); err != nil || got.Node != "" {
			t.Errorf("%s: node %q, %v", marker, got.Node, err)
		}
	}
}

func TestParseDevices(t *testing.T) {
	got, err := z2m.ParseDevices([]byte(`[
{"ieee_address":"0x00124b0000000001","type":"Coordinator","friendly_name":"Coordinator"},
{"ieee_address":"0x0000000000000a01","type":"Router","friendly_name":"attic/lamp","power_source":"Mains (single phase)","interview_state":"SUCCESSFUL",
 "definition":{"exposes":[{"type":"light","features":[{"type":"binary","name":"state","property":"state","access":7},{"type":"numeric","name":"brightness","property":"brightness","access":7},
 {"type":"composite","name":"color_xy","property":"color","access":7,"features":[{"type":"numeric","name":"x","property":"x","access":7}]}]}]}},
{"ieee_address":"0x0000000000000a02","type":"Router","friendly_name":"two gangs","power_source":"Mains (single phase)",
 "definition":{"exposes":[{"type":"enum","name":"mode","property":"mode","access":7},{"type":"switch","features":[{"type":"binary","name":"state","property":"state_left","endpoint":"left","access":7}]}]}},
{"ieee_address":"0x0000000000000a03","type":"EndDevice","friendly_name":"sensor","power_source":"Battery","definition":{"exposes":[{"type":"numeric","name":"temperature","property":"temperature","access":5}]}},
{"ieee_address":"0x0000000000000a04","type":"Router","friendly_name":"plug","power_source":"DC Source","definition":{"exposes":[{"type":"numeric","name":"power","property":"power","access":1}]}},
{"ieee_address":"0x0000000000000a05","type":"Router","friendly_name":"new","power_source":"Mains (single phase)","interview_state":"IN_PROGRESS","definition":null},
{"ieee_address":"0x0000000000000a06","type":"Unknown","friendly_name":"0x0000000000000a06","interviewing":true}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []z2m.Device{
		{IEEE: 0xa01, FriendlyName: "attic/lamp", Type: "Router", Mains: true, AskProperty: "state"},
		{IEEE: 0xa02, FriendlyName: "two gangs", Type: "Router", Mains: true, AskProperty: "state_left"},
		{IEEE: 0xa03, FriendlyName: "sensor", Type: "EndDevice", AskProperty: "temperature"},
		{IEEE: 0xa04, FriendlyName: "plug", Type: "Router", Mains: true},
		{IEEE: 0xa05, FriendlyName: "new", Type: "Router", Mains: true, Interviewing: true},
		{IEEE: 0xa06, FriendlyName: "0x0000000000000a06", Type: "Unknown", Interviewing: true},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(z2m.Device{}, "Structure")); diff != "" {
		t.Error(diff)
	}
	var askable []string
	for _, d := range got {
		if d.Askable() {
			askable = append(askable, d.FriendlyName)
		}
	}
	if diff := cmp.Diff([]string{"attic/lamp", "two gangs"}, askable); diff != "" {
		t.Error(diff)
	}
}

func TestParseResponse(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    z2m.Response
	}{
		{`{"data":{"time":0},"status":"ok","transaction":"abc"}`, z2m.Response{OK: true, Transaction: "abc"}},
		{`{"data":{},"error":"Invalid payload","status":"error"}`, z2m.Response{Error: "Invalid payload"}},
		{`{"data":{},"status":"ok","transaction":7}`, z2m.Response{OK: true}},
	} {
		got, err := z2m.ParseResponse([]byte(c.payload))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
}

func TestHasProperty(t *testing.T) {
	for payload, want := range map[string]bool{
		`{"linkquality":120,"state":"ON"}`: true, `{"state":null}`: false, `{"linkquality":1}`: false, `ON`: false, ``: false, `["state"]`: false,
	} {
		if got := z2m.HasProperty([]byte(payload), "state"); got != want {
			t.Errorf("%q: %v", payload, got)
		}
	}
}

func FuzzPayloads(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(info, "")))
	f.Add([]byte(`[{"ieee_address":"0x0000000000000a01","definition":{"exposes":[{"features":[{}]}]}}]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, _ = z2m.ParseState(payload)
		_, _ = z2m.ParseInfo(payload)
		_, _ = z2m.ParseDevices(payload)
		_, _ = z2m.ParseResponse(payload)
		_, _ = z2m.ParseLog(payload)
		_ = z2m.HasProperty(payload, "state")
	})
}

func TestEndlessErrorsAreCut(t *testing.T) {
	r, err := z2m.ParseResponse(fmt.Appendf(nil, `{"status":"error","error":%q}`, strings.Repeat("ü", 1_000_000)))
	if err != nil || len(r.Error) > 1000 || !strings.HasSuffix(r.Error, "ü…") {
		t.Errorf("%d bytes, %v", len(r.Error), err)
	}
}

func TestParseEvent(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    z2m.Event
		ok      bool
	}{
		{`{"type":"device_leave","data":{"ieee_address":"0x0000000000000a01","friendly_name":"lamp"}}`, z2m.Event{Type: z2m.EventLeave, IEEE: 0xa01, FriendlyName: "lamp"}, true},
		{`{"type":"device_interview","data":{"ieee_address":"0x0000000000000a01","friendly_name":"lamp","status":"started"}}`,
			z2m.Event{Type: z2m.EventInterview, IEEE: 0xa01, FriendlyName: "lamp", Status: z2m.InterviewStarted}, true},
		{`{"type":"of_tomorrow","data":"anything"}`, z2m.Event{Type: "of_tomorrow"}, true},
		{`{"type":"device_leave","data":{"friendly_name":"lamp"}}`, z2m.Event{}, false},
		{`{"type":"device_leave","data":{"ieee_address":"0x0000000000000000"}}`, z2m.Event{}, false},
		{`{"type":"device_leave"}`, z2m.Event{}, false},
		{`[]`, z2m.Event{}, false},
	} {
		got, err := z2m.ParseEvent([]byte(c.payload))
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: %+v, %v", c.payload, got, err)
		}
	}
}

func FuzzWhatAnybodyMayPublish(f *testing.F) {
	f.Add([]byte(`{"type":"device_leave","data":{"ieee_address":"0x0000000000000a01","friendly_name":"lamp"}}`))
	f.Add([]byte(`[{"id":1,"friendly_name":"hall","members":[],"scenes":[]}]`))
	f.Add([]byte(`{"data":{"id":7,"to":{"a":1},"group":"hall"},"status":"ok"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if e, err := z2m.ParseEvent(payload); err == nil && e.Type == z2m.EventLeave && e.IEEE == 0 {
			t.Error("a leave of nobody")
		}
		_, _ = z2m.ParseGroups(payload)
		_, _ = z2m.ParseDone(payload)
	})
}
