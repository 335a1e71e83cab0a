package fence_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"z2mha/internal/fence"
	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

// A house is what Home Assistant knows of a plug with a meter.
type house struct {
	state   string // after it was switched off
	assumed bool
	watts   string // "" for no meter
	unit    string
	old     bool // the meter has said nothing since
	refuse  int
	asked   string // body of the action
}

func (h *house) moveIn(t *testing.T, f *supervisortest.Fake) {
	state := "on"
	f.Handle("POST /core/api/services/switch/turn_off", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.asked = string(body)
		if h.refuse != 0 {
			http.Error(w, `{"message":"no"}`, h.refuse)
			return
		}
		state = h.state
		fmt.Fprint(w, "[]")
	})
	f.Handle("GET /core/api/states/switch.attic", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"entity_id":"switch.attic","state":%q,"attributes":{"assumed_state":%t},"last_updated":"2026-01-01T00:00:00+00:00"}`, state, h.assumed)
	})
	f.Handle("GET /core/api/states/sensor.attic", func(w http.ResponseWriter, r *http.Request) {
		if h.watts == "" {
			http.Error(w, `{"message":"Entity not found."}`, http.StatusNotFound)
			return
		}
		told := time.Now().Add(time.Second)
		if h.old {
			told = told.Add(-time.Hour)
		}
		fmt.Fprintf(w, `{"entity_id":"sensor.attic","state":%q,"attributes":{"unit_of_measurement":%q},"last_updated":"2026-01-01T00:00:00+00:00","last_reported":%q}`,
			h.watts, h.unit, told.Format(time.RFC3339Nano))
	})
}

func TestHomeAssistant(t *testing.T) {
	for _, tt := range []struct {
		name  string
		house house
		power bool
		want  string
		check string
	}{
		{name: "cuts", house: house{state: "off"}},
		{name: "cuts and looks at the meter", house: house{state: "off", watts: "0.3", unit: "W"}, power: true},
		{name: "believes the meter where the state is assumed", house: house{state: "off", assumed: true, watts: "0.001", unit: "kW"}, power: true},
		{name: "does not believe a plug that stays on", house: house{state: "on"}, want: "switch.attic is on"},
		{name: "does not believe a plug that is lost", house: house{state: "unavailable"}, want: "switch.attic is unavailable"},
		{name: "does not believe an assumed state", house: house{state: "off", assumed: true}, want: "it assumes so", check: "it assumes so"},
		{name: "does not believe a plug that goes on feeding", house: house{state: "off", watts: "4.2", unit: "W"}, power: true, want: "says 4.2 W"},
		{name: "does not believe a meter that says nothing new", house: house{state: "off", watts: "0", unit: "W", old: true}, power: true, want: "has said nothing since"},
		{name: "does not believe a meter that is lost", house: house{state: "off", watts: "unavailable", unit: "W"}, power: true, want: "no number", check: "no number"},
		{name: "wants watts", house: house{state: "off", watts: "0", unit: "kWh"}, power: true, want: "not in watts", check: "not in watts"},
		{name: "wants the meter to be there", house: house{state: "off"}, power: true, want: "there is no sensor.attic", check: "there is no sensor.attic"},
		{name: "does not believe an action that is refused", house: house{state: "off", refuse: 400}, want: "switch it off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := supervisortest.Start(t, supervisortest.Options{Token: secret + "-token"})
			tt.house.moveIn(t, f)
			h := plugOf(t, f)
			if tt.power {
				h.Power, h.Below = "sensor.attic", 2
			}
			if err := fence.New(h, quick).Check(t.Context()); (err == nil) != (tt.check == "") || err != nil && !strings.Contains(err.Error(), tt.check) {
				t.Errorf("check: %v, want %q", err, tt.check)
			}
			proves(t, h, tt.want)
			if tt.house.asked != `{"entity_id":"switch.attic"}` {
				t.Errorf("it asked %s", tt.house.asked)
			}
		})
	}
}

func plugOf(t *testing.T, f *supervisortest.Fake) *fence.HomeAssistant {
	t.Helper()
	c, err := supervisor.New(supervisor.Config{URL: f.URL, Token: supervisor.NewSecret(f.Token)})
	if err != nil {
		t.Fatal(err)
	}
	return &fence.HomeAssistant{Core: c, Entity: "switch.attic"}
}

func TestHomeAssistantIsAway(t *testing.T) {
	f := supervisortest.Start(t, supervisortest.Options{})
	h := plugOf(t, f)
	f.SetCore(false)
	proves(t, h, "switch it off")
	f.SetCore(true)
	if err := fence.New(h, quick).Check(t.Context()); err == nil { // it has no such entity
		t.Error("an entity that is not there was found good")
	}
}
