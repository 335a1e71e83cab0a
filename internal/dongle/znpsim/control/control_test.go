package control_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/dongle/znpsim/control"
)

var network = zigbee.Identity{PanID: 0x1a62, ExtPanID: 0x1122334455667788, Channel: 15, IEEE: 1, Key: zigbee.Key{0xAB, 0xCD, 0xEF}}

func TestControl(t *testing.T) {
	m := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { m.Close() })
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Medium: m})
	lamp := m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: network})
	server := control.Handler(m)
	tests := []struct {
		name   string
		method string
		path   string
		body   string
		want   int
		check  func() bool
	}{
		{"sets a fault", "POST", "/dongles/attic/fault", `{"silent":true,"fail_write":3}`, 200, func() bool { return stick.Fault() == znpsim.Fault{Silent: true, FailWrite: 3} }},
		{"repairs", "POST", "/dongles/attic/fault", `{}`, 200, func() bool { return stick.Fault() == znpsim.Fault{} }},
		{"refuses a fault it does not know", "POST", "/dongles/attic/fault", `{"sleepy":true}`, 400, nil},
		{"unplugs", "POST", "/dongles/attic/unplug", "", 200, func() bool { return !stick.Plugged() }},
		{"plugs in again", "POST", "/dongles/attic/replug", "", 200, stick.Plugged},
		{"switches power", "POST", "/dongles/attic/power?on=false", "", 200, func() bool { return !stick.Status().Powered }},
		{"refuses half a switch", "POST", "/dongles/attic/power?on=maybe", "", 400, nil},
		{"cuts power", "POST", "/dongles/attic/powercut", "", 200, nil},
		{"sets latency", "POST", "/dongles/attic/latency?is=5ms", "", 200, nil},
		{"names a stick that is not there", "POST", "/dongles/cellar/unplug", "", 404, nil},
		{"toggles the lamp", "POST", "/devices/lamp/toggle", "", 200, lamp.On},
		{"takes a report", "POST", "/devices/lamp/report", "", 200, nil},
		{"takes a temperature", "POST", "/devices/lamp/temperature?is=21.5", "", 200, nil},
		{"refuses a word for a temperature", "POST", "/devices/lamp/temperature?is=warm", "", 400, nil},
		{"makes a device leave", "POST", "/devices/lamp/leave", "", 200, func() bool { return !lamp.Status().Joined }},
		{"names a device that is not there", "POST", "/devices/tv/toggle", "", 404, nil},
		{"does not pull a stick by GET", "GET", "/dongles/attic/unplug", "", 405, nil},
		{"lists sticks", "GET", "/dongles", "", 200, nil},
		{"lists devices", "GET", "/devices", "", 200, nil},
		{"gives the record", "GET", "/record", "", 200, nil},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
		if w.Code != tt.want {
			t.Errorf("%s: status %d, want %d: %s", tt.name, w.Code, tt.want, w.Body)
		}
		if tt.want == 200 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: not JSON: %s", tt.name, w.Body)
		}
		if tt.check != nil && !tt.check() {
			t.Errorf("%s: without effect", tt.name)
		}
		if strings.Contains(strings.ToLower(w.Body.String()), "abcdef") {
			t.Errorf("%s: the key is in the answer", tt.name)
		}
	}
}

func TestPagesAreRefused(t *testing.T) {
	r := httptest.NewRequest("POST", "/dongles/attic/unplug", nil)
	r.Header.Set("Origin", "http://example.org")
	w := httptest.NewRecorder()
	control.Handler(znpsim.NewMedium(znpsim.MediumOptions{})).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d, want 403", w.Code)
	}
}
