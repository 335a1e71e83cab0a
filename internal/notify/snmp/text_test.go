package snmp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"
	"pgregory.net/rapid"

	"z2mha/internal/failover/status"
)

func TestTextsAreOneHarmlessLine(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"it keeps what people write", `Küche <b>"x"</b> 厨房 👩‍🍳`, `Küche <b>"x"</b> 厨房 👩‍🍳`},
		{"it makes white space a space", "a\nb\tc\r\u2028d\u00a0e", "a b c  d e"},
		{"it takes the power from a terminal", "a\x1b[31mb\x00\u009bc", "a?[31mb??c"},
		{"it keeps the direction of writing", "a\u202etxt.exe", "a?txt.exe"},
		{"it mends what is not UTF-8", "a\xffb\xc3", "a?b?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := clean(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"it leaves what fits", "äöü", 6, "äöü"},
		{"it ends in dots", "abcdefgh", 6, "abc..."},
		{"it cuts before a character that does not fit", "abääää", 7, "abä..."},
		{"it cuts no character in two", "aääää", 7, "aä..."},
		{"it has room for dots only", "abcdefgh", 2, ".."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := cut(c.in, c.limit); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Whatever an event says: the packet is small, and can be read again.
func TestEveryPacketIsSmallAndWhole(t *testing.T) {
	any := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("a ü厨👩\n\x1b")), 0, 600, 2000))
	rapid.Check(t, func(t *rapid.T) {
		said := func(label string) string { return any.Draw(t, label) }
		tr := trap{Host: said("host"), Number: rapid.Uint32().Draw(t, "number"), Event: status.Event{
			Network: said("network"), Text: said("text"), Node: said("node"), From: said("from"), To: said("to"),
			By: said("by"), Run: said("run"), Step: said("step"), Fix: said("fix"),
			Type: kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")].event,
		}}
		community := strings.Repeat("c", rapid.IntRange(0, maxCommunity).Draw(t, "community"))
		for _, format := range []Format{Z2MHA, Prototype} {
			r := &receiver{community: community, format: format}
			packet, err := r.encode(tr)
			if err != nil {
				t.Fatal(err)
			}
			if len(packet) > maxPacket {
				t.Fatalf("%d octets", len(packet))
			}
			checkPacket(t, packet)
		}
	})
}

func checkPacket(t *rapid.T, packet []byte) {
	read, err := gosnmp.Default.SnmpDecodePacket(packet)
	if err != nil {
		t.Fatal(err)
	}
	if read.Variables[0].Name != "."+sysUpTime || read.Variables[1].Name != "."+snmpTrapOID {
		t.Fatalf("begins with %s, %s", read.Variables[0].Name, read.Variables[1].Name)
	}
	for _, v := range read.Variables {
		if v.Type != gosnmp.OctetString {
			continue
		}
		if text := v.Value.([]byte); len(text) > maxText || !utf8.Valid(text) || strings.ContainsAny(string(text), "\n\x1b") {
			t.Fatalf("%s is %q", v.Name, text)
		}
	}
}

// A packet that is a little too long loses a little.
func TestOnlyTheLongestTextsAreShortened(t *testing.T) {
	tr := trap{Host: "attic", Event: status.Event{
		Type: status.EventNeedsHelp, Network: "home", Node: "attic", From: "attic", To: "cellar", Run: "7",
		By: strings.Repeat("b", 100), Text: strings.Repeat("t", 300), Step: strings.Repeat("s", 300), Fix: strings.Repeat("f", 300),
	}}
	r := &receiver{community: strings.Repeat("c", maxCommunity), format: Z2MHA}
	packet, err := r.encode(tr)
	if err != nil {
		t.Fatal(err)
	}
	if len(packet) < maxPacket-8 {
		t.Errorf("%d octets, more was cut than had to be", len(packet))
	}
	for _, whole := range []string{tr.By, "cellar", "attic"} {
		if !strings.Contains(string(packet), whole) {
			t.Errorf("%q was cut", whole)
		}
	}
}
