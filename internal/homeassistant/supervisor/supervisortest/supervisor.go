package supervisortest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// supervisor answers the calls of the Supervisor itself, to an add-on that may make them.
func (f *Fake) supervisor(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET /info":
		accept(w, f.info())
	case "GET /addons/self/info", "GET /addons/" + f.options.Slug + "/info":
		accept(w, f.self())
	case "GET /addons/self/options/config":
		accept(w, f.saved)
	case "POST /addons/self/options":
		f.save(w, r)
	case "POST /addons/self/restart":
		accept(w, struct{}{})
	case "GET /addons/self/stats":
		accept(w, map[string]any{
			"cpu_percent": 0.35, "memory_usage": 18_874_368, "memory_limit": 3_980_165_120, "memory_percent": 0.47,
			"network_rx": 120_540, "network_tx": 98_121, "blk_read": 8_192, "blk_write": 40_960,
		})
	case "GET /services/mqtt":
		f.broker(w)
	default:
		text(w, http.StatusNotFound)
	}
}

func (f *Fake) info() map[string]any {
	return map[string]any{
		"supervisor": "2026.08.0", "homeassistant": "2026.9.2", "hassos": nil, "docker": "28.3.3",
		"hostname": "homeassistant", "operating_system": "Debian GNU/Linux 13 (trixie)", "features": []string{"reboot"},
		"machine": "generic-x86-64", "arch": "amd64", "state": "running", "supported_arch": []string{"amd64"},
		"supported": true, "channel": "stable", "logging": "info", "timezone": "Europe/Berlin",
	}
}

func (f *Fake) self() map[string]any {
	entry := "/api/hassio_ingress/made_up_ingress_path"
	return map[string]any{
		"name": "Zigbee2MQTT High Availability", "slug": f.options.Slug, "hostname": "0a1b2c3d-zigbee2mqtt-ha",
		"version": f.options.Version, "version_latest": f.options.Version, "update_available": false,
		"state": "started", "boot": "auto", "boot_config": "auto", "watchdog": false, "auto_update": false,
		"protected": true, "rating": 7, "options": f.saved, "network": nil, "ip_address": "172.30.33.5",
		"hassio_api": !f.options.WithoutHassioAPI, "hassio_role": f.options.Role, "homeassistant_api": !f.options.WithoutCoreAPI,
		"ingress": true, "ingress_entry": entry, "ingress_url": entry + "/", "ingress_port": 8099, "ingress_panel": true,
	}
}

// settings are the keys that POST /addons/self/options takes. Source: SCHEMA_OPTIONS.
var settings = []string{"boot", "network", "auto_update", "audio_output", "audio_input", "ingress_panel", "watchdog", "options"}

func (f *Fake) save(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		refuse(w, http.StatusBadRequest, "Invalid json")
		return
	}
	for _, key := range slices.Sorted(maps.Keys(body)) {
		if !slices.Contains(settings, key) {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("extra keys not allowed @ data['%s']. Got %v", key, body[key]))
			return
		}
	}
	switch options, given := body["options"]; o := options.(type) {
	case map[string]any:
		f.saved = o
	case nil:
		if given {
			f.saved = map[string]any{}
		}
	default:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("expected dict for dictionary value @ data['options']. Got %v", o))
		return
	}
	accept(w, struct{}{})
}

func (f *Fake) broker(w http.ResponseWriter) {
	switch {
	case f.options.WithoutMQTTService:
		refuse(w, http.StatusForbidden, "No access to mqtt service!")
		return
	case f.mqtt == nil:
		refuse(w, http.StatusBadRequest, "Service not enabled")
		return
	}
	provider := "addon"
	if f.mqtt.AppKey {
		provider = "app"
	}
	accept(w, map[string]any{
		"host": f.mqtt.Host, "port": f.mqtt.Port, "ssl": f.mqtt.TLS, "protocol": "3.1.1",
		"username": f.mqtt.User, "password": f.mqtt.Password, provider: "core_mosquitto",
	})
}
