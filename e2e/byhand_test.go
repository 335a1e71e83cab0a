package e2e_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What addon/DOCS.md advises when the active host is lost is tried with real
// Zigbee2MQTT: this program takes no part in it but for the copy it has made.

// TestE2EOldStickOnTheStandby: the host is dead, its stick is fine.
func TestE2EOldStickOnTheStandby(t *testing.T) {
	b := genuine(t).start()
	b.lostActive()
	b.home.Attic.Dongle.SetPower(true) // in the stand-by's socket now
	b.edit(b.home.Cellar, "configuration.yaml", func(s string) string { return strings.ReplaceAll(s, b.home.Cellar.TTY, b.home.Attic.TTY) })
	b.startsByHand("resumed")
	b.lampAnswersThrough(b.home.Attic)
	b.mediumIsClean()
}

// TestE2EEmptyStickOnTheStandby: host and stick are both lost.
func TestE2EEmptyStickOnTheStandby(t *testing.T) {
	b := genuine(t).start()
	b.lostActive()
	b.edit(b.home.Cellar, "coordinator_backup.json", func(s string) string {
		return regexp.MustCompile(`"frame_counter": \d+`).ReplaceAllStringFunc(s, func(line string) string {
			counter, err := strconv.Atoi(strings.TrimPrefix(line, `"frame_counter": `))
			if err != nil {
				b.Fatal(err)
			}
			return fmt.Sprintf(`"frame_counter": %d`, counter+1000000)
		})
	})
	b.startsByHand("restored")
	b.lampAnswersThrough(b.home.Cellar)
}

// lostActive makes a copy, takes the active host's power, and puts the copy in place.
func (b *bench) lostActive() {
	b.Helper()
	b.ends(b.z2mha("sync"), exitOK)
	if err := b.home.Attic.Kill(); err != nil {
		b.Fatal(err)
	}
	b.home.Attic.Dongle.SetPower(false)
	out, err := exec.CommandContext(b.Context(), "sh", "-ec",
		`mv "$1" "$1.mine"; cp -a "$1.z2mha-staging" "$1"; chown -R $(stat -c %u:%g "$1.mine") "$1"`, "sh", b.home.Cellar.Data).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

func (b *bench) startsByHand(how string) {
	b.Helper()
	if err := b.home.Cellar.Service(b.Context(), "start"); err != nil {
		b.Fatal(err)
	}
	said := regexp.MustCompile(`zigbee-herdsman started \((\w+)\)`)
	b.eventually("Zigbee2MQTT has started", func() bool { return said.MatchString(b.home.Cellar.Log()) })
	if got := said.FindStringSubmatch(b.home.Cellar.Log())[1]; got != how {
		b.Fatalf("it was %s, want %s", got, how)
	}
}
