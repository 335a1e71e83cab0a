package probe_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/probe"
)

// TestMain lets the test program play a program on the host: it says that it is
// ready and stays until its standard input ends.
func TestMain(m *testing.M) {
	if os.Getenv("PLAY_A_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	if path := os.Getenv("OPEN_FOR_WRITING"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			os.Exit(1)
		}
		defer f.Close()
	}
	if path := os.Getenv("OPEN_DEVICE"); path != "" {
		f, err := os.Open(path)
		if err != nil {
			os.Exit(1)
		}
		defer f.Close()
	}
	os.Stdout.WriteString("ready\n")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// program starts one with these arguments; it ends with the test.
func program(t *testing.T, dir string, env []string, args ...string) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args, cmd.Dir = args, dir
	cmd.Env = append(env, "PLAY_A_PROGRAM=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the program said %q", line)
	}
	return cmd.Process.Pid
}

func look(t *testing.T, a helperapi.ProbeArgs) helperapi.ProbeResult {
	t.Helper()
	r, err := probe.Look(a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLookFindsWhoWorksOnTheData(t *testing.T) {
	tests := []struct {
		name  string
		start func(t *testing.T, app string) int
		why   string
	}{
		{"by ZIGBEE2MQTT_DATA", func(t *testing.T, app string) int {
			return program(t, "/", []string{"ZIGBEE2MQTT_DATA=" + app + "/data"}, "node", "/x/index.js")
		}, "ZIGBEE2MQTT_DATA="},
		{"by ZIGBEE2MQTT_DATA that is a link", func(t *testing.T, app string) int {
			if err := os.Symlink(app+"/data", app+"/link"); err != nil {
				t.Fatal(err)
			}
			return program(t, "/", []string{"ZIGBEE2MQTT_DATA=" + app + "/link"}, "node", "/x/index.js")
		}, "ZIGBEE2MQTT_DATA="},
		{"by its working directory", func(t *testing.T, app string) int {
			return program(t, app, nil, "node", "index.js")
		}, "runs in "},
		{"by a file it writes", func(t *testing.T, app string) int {
			return program(t, "/", []string{"OPEN_FOR_WRITING=" + app + "/data/log.log"}, "rsync")
		}, "writes "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := t.TempDir()
			if err := os.Mkdir(filepath.Join(app, "data"), 0o755); err != nil {
				t.Fatal(err)
			}
			pid := test.start(t, app)
			r := look(t, helperapi.ProbeArgs{Data: app + "/data"})
			if len(r.DataHolders) != 1 || r.DataHolders[0].PID != pid || !strings.HasPrefix(r.DataHolders[0].Why, test.why) {
				t.Errorf("holders are %+v, want pid %d because it %s", r.DataHolders, pid, test.why)
			}
		})
	}
}

func TestLookIsNotFooled(t *testing.T) {
	app := t.TempDir()
	if err := os.MkdirAll(filepath.Join(app, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"ZIGBEE2MQTT_DATA=" + app + "/data"}
	program(t, "/", env, "-bash")                                                          // a login shell that exports it
	program(t, app, nil, "vim", "README")                                                  // an editor beside it
	program(t, app, []string{"ZIGBEE2MQTT_DATA=/elsewhere"}, "node", "index.js")           // another instance
	program(t, "/", []string{"ZIGBEE2MQTT_DATA=" + app + "/data2"}, "node", "/x/index.js") // a longer name
	t.Setenv("ZIGBEE2MQTT_DATA", app+"/data")                                              // the session that looks
	if r := look(t, helperapi.ProbeArgs{Data: app + "/data"}); len(r.DataHolders) != 0 {
		t.Errorf("holders are %+v, want none", r.DataHolders)
	}
}

func TestLookFindsTheVersion(t *testing.T) {
	app := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(app, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("package.json", `{"name":"zigbee2mqtt","version":"2.14.1"}`)
	write("index.js", "")
	for name, a := range map[string]helperapi.ProbeArgs{
		"beside the data": {Data: app + "/data"},
		"of the program":  {Program: app},
		"of the script":   {Program: app + "/index.js"},
	} {
		if got := look(t, a).Version; got != "2.14.1" {
			t.Errorf("%s: version %q", name, got)
		}
	}
	if got := look(t, helperapi.ProbeArgs{Program: "/usr/bin"}).Version; got != "" {
		t.Errorf("version %q of nothing", got)
	}
}

func TestLookMeasuresWhereADirectoryWouldBe(t *testing.T) {
	dir := t.TempDir()
	r := look(t, helperapi.ProbeArgs{Data: dir, Staging: dir + "/not/yet", TTY: "/dev/ttyNOTHERE"})
	if !r.Data.Exists || r.Staging.Exists {
		t.Errorf("exists: data %v, staging %v", r.Data.Exists, r.Staging.Exists)
	}
	if r.Staging.FreeBytes == 0 || r.Staging.TotalBytes < r.Staging.FreeBytes || r.Staging.Device != r.Data.Device {
		t.Errorf("staging is %+v", r.Staging)
	}
	if r.TTY.Present || r.HostID == "" || r.BootID == "" || r.UptimeMS == 0 {
		t.Errorf("host is %+v", r)
	}
}
