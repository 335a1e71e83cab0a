package home_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"z2mha/internal/bus"
	"z2mha/internal/z2m/bridge"
)

// The simulated Zigbee2MQTT is asked by the real bridge: database and backup are written
// anew from the stick, which goes on.
func TestLiveBackup(t *testing.T) {
	h, w := running(t)
	conn, err := bus.Dial(t.Context(), bus.Config{Server: "mqtt://" + h.Broker()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	b, err := bridge.New(t.Context(), conn, "zigbee2mqtt", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	database, backup := stat(t, h.Attic, "database.db").ModTime(), stat(t, h.Attic, "coordinator_backup.json").ModTime()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Backup(ctx); err != nil {
		t.Fatal(err)
	}
	if !stat(t, h.Attic, "database.db").ModTime().After(database) {
		t.Error("database.db was not written")
	}
	if !stat(t, h.Attic, "coordinator_backup.json").ModTime().After(backup) {
		t.Error("coordinator_backup.json was not written")
	}
	if on := h.OnAir(); on != "attic" {
		t.Errorf("on air: %q", on)
	}
	eventually(t, "the answer was heard here too", func() bool { return w.Last("bridge/response/backup") != nil })
	var answer struct {
		Status string
		Data   struct{ Zip string }
	}
	if err := json.Unmarshal(w.Last("bridge/response/backup"), &answer); err != nil || answer.Status != "ok" || !strings.HasPrefix(answer.Data.Zip, "UEsDB") {
		t.Errorf("answered %.60s", w.Last("bridge/response/backup"))
	}
}
