package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/engine"
)

// backUp answers as Zigbee2MQTT does, in the end.
func (z *zigbee2mqtt) backUp(transaction string) {
	time.Sleep(z.backupTakes)
	status := z.backupSays
	if status == "" {
		status = `"status":"ok"`
	}
	if !z.backupLost {
		z.publish("bridge/response/backup", fmt.Sprintf(`{"data":{"zip":%q},%s,"transaction":%q}`, strings.Repeat("secret", 5000), status, transaction), false)
	}
}

func TestBackup(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given func(z *zigbee2mqtt)
		takes time.Duration
		err   string // "" for none
	}{
		{"it returns when the backup is made", func(z *zigbee2mqtt) { z.backupTakes = 18 * time.Second }, 18 * time.Second, ""},
		{"it passes on what went wrong, in one line", func(z *zigbee2mqtt) {
			z.backupTakes, z.backupSays = 6*time.Second, `"status":"error","error":"SRSP - SYS - osalNvRead\n\u001b[31mafter 6000ms"`
		}, 6 * time.Second, `Zigbee2MQTT answers "SRSP - SYS - osalNvRead\n\x1b[31mafter 6000ms"`},
		{"it says what it may mean that no answer comes", func(z *zigbee2mqtt) { z.backupLost = true }, 90 * time.Second,
			"nothing fresh came from Zigbee2MQTT. Either its stick is very slow, or it is too old"},
		{"it does not wait for one that does not hear", func(z *zigbee2mqtt) { z.deaf.Store(true) }, 15 * time.Second, "before a backup: bridge/request/options"},
		{"it does not take the answer to somebody else", func(z *zigbee2mqtt) {
			z.backupTakes = 10 * time.Second
			go func() { time.Sleep(2 * time.Second); go z.backUp("another") }()
			go func() { time.Sleep(3 * time.Second); z.publish("bridge/response/backup", `{"status":"ok"}`, false) }()
		}, 10 * time.Second, ""},
		{"it notices a start in the middle", func(z *zigbee2mqtt) {
			z.backupTakes = 20 * time.Second
			go func() { time.Sleep(5 * time.Second); z.publish("bridge/state", "online", true) }()
		}, 5 * time.Second, "started anew meanwhile"},
		{"it notices a broker that goes away", func(z *zigbee2mqtt) {
			z.backupTakes, z.backupLost = 20*time.Second, true
			go func() { time.Sleep(5 * time.Second); z.broker.Stop() }()
		}, 5 * time.Second, "the connection to the broker was lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, b := world(t)
				z.run()
				tt.given(z)
				began := time.Now()
				err := b.Backup(t.Context())
				if took := time.Since(began).Round(time.Second); took != tt.takes {
					t.Errorf("took %s, want %s", took, tt.takes)
				}
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n")) {
					t.Errorf("the error tells too much: %v", err)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestBackupWithoutBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.broker.Stop()
		var gone *bus.UnreachableError
		if err := b.Backup(within(t, 20*time.Second)); !errors.As(err, &gone) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBackupsAtOnceAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		z.backupTakes = 10 * time.Second
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if err := b.Backup(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := z.backups.Load(); n != 1 {
			t.Errorf("%d backups were asked for", n)
		}
		if err := b.Backup(t.Context()); err != nil || z.backups.Load() != 2 {
			t.Errorf("the next one: %v, %d asked for", err, z.backups.Load())
		}
	})
}

// One whose caller went away is not begun a second time beside itself, and is not taken
// for a younger one either.
func TestBackupThatWasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		z.backupTakes = 10 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		if err := b.Backup(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := z.backups.Load(); n != 1 {
			t.Fatalf("%d backups were asked for", n)
		}
		began := time.Now()
		if err := b.Backup(t.Context()); err != nil || time.Since(began).Round(time.Second) != 18*time.Second || z.backups.Load() != 2 {
			t.Errorf("the next one: %v after %s, %d asked for", err, time.Since(began), z.backups.Load())
		}
		if err := b.Backup(within(t, time.Second)); !errors.Is(err, engine.ErrBridgeSilent) {
			t.Errorf("out of time: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestBackupEndsWithTheBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		z.backupLost = true
		time.AfterFunc(5*time.Second, b.Close)
		if err := b.Backup(t.Context()); err == nil || !strings.Contains(err.Error(), "is closed") {
			t.Errorf("got %v", err)
		}
		if err := b.Backup(t.Context()); err == nil || !strings.Contains(err.Error(), "is closed") {
			t.Errorf("afterwards: %v", err)
		}
		time.Sleep(time.Minute)
	})
}
