package helperapi_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/host/helperapi"
)

func TestResultPassesOverEverythingElse(t *testing.T) {
	stdout := "Last login: today\n" +
		`{"event":"progress","progress":{"step":"compare","done":1,"total":9}}` + "\n" +
		`{"event":"result","result":{"equal":false,"differs":["NIB"]}}` + "\n"
	r, err := helperapi.Result[helperapi.VerifyResult]([]byte(stdout))
	if err != nil || r.Equal || len(r.Differs) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	cut := stdout[:strings.LastIndex(stdout, `"differs"`)]
	if _, err := helperapi.Result[helperapi.VerifyResult]([]byte(cut)); !errors.Is(err, helperapi.ErrNoResult) {
		t.Errorf("a result cut off gave %v", err)
	}
}

func TestParseError(t *testing.T) {
	tests := []struct {
		name   string
		stderr string
		status int
		exit   helperapi.Exit
		says   string
	}{
		{"takes the last line that is an error", "sudo: a warning\n" + `{"error":"busy","message":"held by node"}` + "\n", 3, helperapi.ExitBusy, "held by node"},
		{"takes the text of a helper that talked to a person", "znp-helper: held by node\n", 3, helperapi.ExitBusy, "znp-helper: held by node"},
		{"knows a shell that found no helper", "sh: 1: znp-helper: not found\n", 127, helperapi.ExitInternal, "not found"},
		{"says something about silence", "", 9, helperapi.ExitNoSpace, "status 9"},
		{"never calls a failure fine", "", 0, helperapi.ExitInternal, "status 0"},
		{"survives a code it does not know", `{"error":"tired","message":"zzz"}`, 77, helperapi.ExitInternal, "zzz"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := helperapi.ParseError([]byte(test.stderr), test.status)
			if e.Exit != test.exit || !strings.Contains(e.Error(), test.says) {
				t.Errorf("got %v: %v", e.Exit, e)
			}
		})
	}
}

func TestExitsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range helperapi.Exits() {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back helperapi.Exit
		if err := json.Unmarshal(text, &back); err != nil || back != e || seen[e.String()] || e.Meaning() == "" {
			t.Errorf("%d is %s, back %v, %v", int(e), text, back, err)
		}
		seen[e.String()] = true
	}
}

func TestLayoutIsSaidWhole(t *testing.T) {
	want := nvimagetest.Formed().Layout()
	text, err := json.Marshal(helperapi.LayoutOf(want))
	if err != nil {
		t.Fatal(err)
	}
	var back helperapi.Layout
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	got := back.Image()
	if !maps.Equal(got.Items, want.Items) || !maps.Equal(got.Counts, want.Counts) || !maps.Equal(got.EntryLen, want.EntryLen) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestArgv(t *testing.T) {
	tests := []struct {
		got  []string
		want string
	}{
		{helperapi.InfoArgs{Port: "/dev/ttyUSB0"}.Argv(), "info /dev/ttyUSB0"},
		{helperapi.ReadArgs{Port: "tcp://h:1", Attached: true}.Argv(), "read tcp://h:1 --attached"},
		{helperapi.WriteArgs{Image: helperapi.Stdin, Port: "P", Run: "r1", FromRevision: 20250321, ExpectBefore: "ab", Keep: "/k"}.Argv(),
			"write - P --run r1 --from-revision 20250321 --expect-before ab --keep /k"},
		{helperapi.WriteArgs{Image: "i.json", Port: "P", AnyRevision: true}.Argv(), "write i.json P --any-revision"},
		{helperapi.ReadArgs{Port: "P", Known: true, Attached: true}.Argv(), "read P --known --attached"},
		{helperapi.PatchArgs{Port: "P", Run: "r1", Reset: true, Keep: "/k", State: "/s"}.Argv(), "patch P --run r1 --reset --keep /k --state /s"},
		{helperapi.VerifyArgs{Image: "-", Port: "P"}.Argv(), "verify - P"},
		{helperapi.SilenceArgs{Port: "P", Run: "r"}.ParkArgv(), "park P --run r"},
		{helperapi.SilenceArgs{Port: "P"}.ResetArgv(), "reset P"},
		{helperapi.ProbeArgs{TTY: "P", Data: "/d", Staging: "/s"}.Argv(), "probe --tty P --data /d --staging /s"},
		{helperapi.ManifestArgs{Dir: "/d", Exclude: []string{"log", "*.tmp"}}.Argv(), "manifest /d --exclude log --exclude *.tmp"},
		{helperapi.PromoteArgs{Staging: "/s", Data: "/d", Previous: "/p", Run: "r", Local: []string{"log", "ota"}, Undo: true}.Argv(),
			"promote --staging /s --data /d --previous /p --run r --local log --local ota --undo"},
		{helperapi.SFTPArgs{ReadOnly: true}.Argv(), "sftp --read-only"},
		{helperapi.VersionArgs{}.Argv(), "version"},
	}
	for _, test := range tests {
		if got := strings.Join(test.got, " "); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
