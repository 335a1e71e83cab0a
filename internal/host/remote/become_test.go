package remote_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/host/remote"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":               "''",
		"plain-1.2/x:y":  "plain-1.2/x:y",
		"two words":      "'two words'",
		"it's":           `'it'\''s'`,
		"~":              "'~'",
		"a=b":            "'a=b'",
		"$(reboot);`x`":  "'$(reboot);`x`'",
		"*.tmp*":         "'*.tmp*'",
		"line\nline":     "'line\nline'",
		"back\\slash \"": `'back\slash "'`,
	} {
		if got := remote.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestQuotedWordsReachTheProgramUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOf(rapid.RuneFrom([]rune("ab '\"\\$`!*?[]{}()<>|&;#~=%\n\tä-"))).Draw(t, "word")
		words := []string{"printf", "%s.", word, "next"}
		out, err := exec.Command("/bin/sh", "-c", remote.QuoteAll(words)).Output()
		if err != nil || string(out) != word+".next." {
			t.Fatalf("%q became %q, %v", word, out, err)
		}
	})
}

func TestLine(t *testing.T) {
	argv := []string{"systemctl", "stop", "zigbee2mqtt.service"}
	for _, tt := range []struct {
		name   string
		cmd    remote.Command
		become remote.Become
		want   string
	}{
		{"as the user", remote.Command{Argv: argv}, remote.BecomeSudo, "systemctl stop zigbee2mqtt.service"},
		{"as root without become", remote.Command{Argv: argv, Become: true}, remote.BecomeNone, "systemctl stop zigbee2mqtt.service"},
		{"with sudo", remote.Command{Argv: argv, Become: true}, remote.BecomeSudo, "sudo -n -- systemctl stop zigbee2mqtt.service"},
		{"with doas", remote.Command{Argv: argv, Become: true}, remote.BecomeDoas, "doas -n -- systemctl stop zigbee2mqtt.service"},
		{"a shell line with sudo", remote.Command{Shell: "a && b 'c'", Become: true}, remote.BecomeSudo, `sudo -n -- /bin/sh -c 'a && b '\''c'\'''`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.cmd.Line(tt.become)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := remote.ParseBecome("su"); err == nil || !strings.Contains(err.Error(), "none, sudo or doas") {
		t.Errorf("su gave %v", err)
	}
}
