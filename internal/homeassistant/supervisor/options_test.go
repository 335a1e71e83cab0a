package supervisor_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/homeassistant/supervisor"
)

func TestOptions(t *testing.T) {
	secret := supervisor.NewSecret
	tests := []struct {
		name     string
		file     string
		want     supervisor.Options
		problems []string // a part of each
	}{
		{"takes the defaults", `{}`, supervisor.Options{}, nil},
		{"takes what the Supervisor writes by default", `{"log_level":"info","language":"","mqtt":{}}`, supervisor.Options{}, nil},
		{"takes everything", `{"log_level":"debug","language":"de","mqtt":{"server":"mqtts://broker:8883","user":"u","password":"p","ca":"/ssl/ca.pem"}}`,
			supervisor.Options{LogLevel: slog.LevelDebug, Language: "de", MQTT: supervisor.MQTTOptions{
				Server: "mqtts://broker:8883", User: "u", Password: secret("p"), CA: "/ssl/ca.pem"}}, nil},
		{"takes null for nothing", `{"log_level":null,"language":null,"mqtt":null}`, supervisor.Options{}, nil},
		{"takes null for nothing in mqtt", `{"mqtt":{"server":null,"user":null,"password":null,"ca":null}}`, supervisor.Options{}, nil},
		{"goes on without a level it does not know", `{"log_level":"loud","language":"es"}`, supervisor.Options{Language: "es"},
			[]string{`option log_level: "loud" is no log level, so info is used; choose one of trace, debug`}},
		{"cuts what is too long to be quoted", `{"log_level":"` + strings.Repeat("ü", 1000) + `"}`, supervisor.Options{}, []string{`üü…" is no log level`}},
		{"goes on with wrong types", `{"log_level":7,"language":[],"mqtt":{"server":1,"user":{},"password":12345,"ca":true}}`, supervisor.Options{},
			[]string{"option language: not a text", "option log_level: not a text", "option mqtt.ca: not a text", "option mqtt.password: not a text", "option mqtt.server: not a text", "option mqtt.user: not a text"}},
		{"goes on without a language it does not speak", `{"language":"tlh"}`, supervisor.Options{}, []string{`option language: "tlh" is not spoken here`}},
		{"goes on when mqtt is no group", `{"mqtt":"mqtt://u:rosebud@broker"}`, supervisor.Options{}, []string{"option mqtt: not a group of options"}},
		{"names what it does not know", `{"nodes":[],"mqtt":{"port":1883},"log_level":"error"}`, supervisor.Options{LogLevel: slog.LevelError},
			[]string{"option mqtt.port: there is no such option", "option nodes: there is no such option"}},
		{"does not quote a password in an address", `{"mqtt":{"server":"mqtt://u:rosebud@broker"}}`, supervisor.Options{}, []string{"option mqtt.server: user or password inside the address"}},
		{"refuses what is no address", `{"mqtt":{"server":"broker:1883"}}`, supervisor.Options{}, []string{"option mqtt.server: not the address of a broker"}},
		{"refuses other protocols", `{"mqtt":{"server":"ws://broker"}}`, supervisor.Options{}, []string{"option mqtt.server: only mqtt:// and mqtts://"}},
		{"refuses a relative path", `{"mqtt":{"ca":"ca.pem"}}`, supervisor.Options{}, []string{"option mqtt.ca: a path that does not begin with /"}},
		{"refuses a list", `[]`, supervisor.Options{}, []string{"options: not a JSON object"}},
		{"refuses nothing at all", `null`, supervisor.Options{}, []string{"options: not a JSON object"}},
		{"refuses half a file", `{"log_level":"deb`, supervisor.Options{}, []string{"options: not a JSON object"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "options.json")
			if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			o, problems := supervisor.ReadOptions(path)
			if diff := cmp.Diff(test.want, o); diff != "" {
				t.Error(diff)
			}
			if len(problems) != len(test.problems) {
				t.Fatalf("problems: %v", problems)
			}
			for i, p := range problems {
				if !strings.Contains(p.String(), test.problems[i]) || strings.Contains(p.String(), "rosebud") || strings.Contains(p.String(), "12345") {
					t.Errorf("problem: %s", p)
				}
			}
		})
	}
}

func TestEveryLogLevel(t *testing.T) {
	last := slog.Level(-100)
	for _, name := range []string{"trace", "debug", "info", "notice", "warning", "error", "fatal"} {
		o, problems := supervisor.ParseOptions([]byte(`{"log_level":"` + name + `"}`))
		if len(problems) > 0 || o.LogLevel <= last {
			t.Errorf("%s: %v, %v", name, o.LogLevel, problems)
		}
		last = o.LogLevel
	}
}

func TestOptionsFileThatIsNotThere(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "options.json"), t.TempDir()} {
		o, problems := supervisor.ReadOptions(path)
		if !cmp.Equal(o, supervisor.Options{}) || len(problems) != 1 || !strings.Contains(problems[0].String(), "cannot be read") {
			t.Errorf("%+v, %v", o, problems)
		}
	}
}

func FuzzOptions(f *testing.F) {
	f.Add([]byte(`{"log_level":"debug","mqtt":{"password":"p"}}`))
	f.Fuzz(func(_ *testing.T, data []byte) { supervisor.ParseOptions(data) })
}
