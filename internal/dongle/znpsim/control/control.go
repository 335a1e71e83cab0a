// Package control lets tests and people look at emulated sticks and disturb them over
// HTTP. It has no password: serve it on loopback only. Requests that a web page of
// another origin made are refused.
//
//	GET  /record                          what the medium has seen (znpsim.Record)
//	GET  /dongles                         every stick (znpsim.DongleStatus)
//	GET  /devices                         every device (znpsim.DeviceStatus)
//	POST /dongles/NAME/fault              body: znpsim.Fault; {} repairs the stick
//	POST /dongles/NAME/unplug|replug      out of the socket, and back
//	POST /dongles/NAME/powercut           power away for a moment
//	POST /dongles/NAME/power?on=BOOL      power without the port
//	POST /dongles/NAME/latency?is=15ms    delay before each answer
//	POST /devices/NAME/toggle             a person at the lamp's switch
//	POST /devices/NAME/report             report now
//	POST /devices/NAME/temperature?is=21.5
//	POST /devices/NAME/power?on=BOOL
//	POST /devices/NAME/leave              forget the network, as a factory reset does
//
// A POST answers with the status of the stick or device afterwards, 404 for a name
// that does not exist, and 400 with a sentence for what it does not understand.
package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"z2mha/internal/dongle/znpsim"
)

// Handler serves one medium.
func Handler(m *znpsim.Medium) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /record", func(w http.ResponseWriter, _ *http.Request) { reply(w, m.Record()) })
	mux.HandleFunc("GET /dongles", func(w http.ResponseWriter, _ *http.Request) { reply(w, dongles(m)) })
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) { reply(w, devices(m)) })
	for name, act := range dongleActs {
		mux.HandleFunc("POST /dongles/{name}/"+name, onDongle(m, act))
	}
	for name, act := range deviceActs {
		mux.HandleFunc("POST /devices/{name}/"+name, onDevice(m, act))
	}
	return sameOrigin(mux)
}

var dongleActs = map[string]func(*znpsim.Dongle, *http.Request) error{
	"fault":    setFault,
	"unplug":   func(d *znpsim.Dongle, _ *http.Request) error { d.Unplug(); return nil },
	"replug":   func(d *znpsim.Dongle, _ *http.Request) error { d.Replug(); return nil },
	"powercut": func(d *znpsim.Dongle, _ *http.Request) error { d.PowerCut(); return nil },
	"power":    func(d *znpsim.Dongle, r *http.Request) error { return withBool(r, d.SetPower) },
	"latency":  setLatency,
}

var deviceActs = map[string]func(*znpsim.Device, *http.Request) error{
	"toggle":      func(d *znpsim.Device, _ *http.Request) error { d.Toggle(); return nil },
	"report":      func(d *znpsim.Device, _ *http.Request) error { d.Report(); return nil },
	"leave":       func(d *znpsim.Device, _ *http.Request) error { d.Leave(); return nil },
	"power":       func(d *znpsim.Device, r *http.Request) error { return withBool(r, d.SetPower) },
	"temperature": setTemperature,
}

func setFault(d *znpsim.Dongle, r *http.Request) error {
	var f znpsim.Fault
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	d.SetFault(f)
	return nil
}

func setLatency(d *znpsim.Dongle, r *http.Request) error {
	v, err := time.ParseDuration(r.FormValue("is"))
	if err != nil || v < 0 {
		return fmt.Errorf("is=%q: want a duration such as 15ms", r.FormValue("is"))
	}
	d.SetLatency(v)
	return nil
}

func setTemperature(d *znpsim.Device, r *http.Request) error {
	v, err := strconv.ParseFloat(r.FormValue("is"), 64)
	if err != nil || v < -100 || v > 300 {
		return fmt.Errorf("is=%q: want degrees Celsius", r.FormValue("is"))
	}
	d.SetTemperature(v)
	return nil
}

func withBool(r *http.Request, set func(bool)) error {
	v, err := strconv.ParseBool(r.FormValue("on"))
	if err != nil {
		return fmt.Errorf("on=%q: want true or false", r.FormValue("on"))
	}
	set(v)
	return nil
}

func onDongle(m *znpsim.Medium, act func(*znpsim.Dongle, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, d := range m.Dongles() {
			if d.Name() == r.PathValue("name") {
				answer(w, act(d, r), func() any { return d.Status() })
				return
			}
		}
		http.Error(w, fmt.Sprintf("no stick %q here; GET /dongles lists them", r.PathValue("name")), http.StatusNotFound)
	}
}

func onDevice(m *znpsim.Medium, act func(*znpsim.Device, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, d := range m.Devices() {
			if d.Name() == r.PathValue("name") {
				answer(w, act(d, r), func() any { return d.Status() })
				return
			}
		}
		http.Error(w, fmt.Sprintf("no device %q here; GET /devices lists them", r.PathValue("name")), http.StatusNotFound)
	}
}

func dongles(m *znpsim.Medium) []znpsim.DongleStatus {
	out := []znpsim.DongleStatus{}
	for _, d := range m.Dongles() {
		out = append(out, d.Status())
	}
	return out
}

func devices(m *znpsim.Medium) []znpsim.DeviceStatus {
	out := []znpsim.DeviceStatus{}
	for _, d := range m.Devices() {
		out = append(out, d.Status())
	}
	return out
}

func answer(w http.ResponseWriter, err error, status func() any) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, status())
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client is gone; there is nobody to tell
}

// sameOrigin keeps pages in a browser from pulling sticks.
func sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			http.Error(w, "not for web pages", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
