package e2e_test

import (
	"bytes"
	"cmp"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"z2mha/internal/dash/ingresstest"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
	"z2mha/web"
)

// An addon is the real `z2mha serve --addon` in a simulated home, with a Supervisor that
// names the broker and the users, and ingress before its page.
type addon struct {
	*bench
	super  *supervisortest.Fake
	proxy  *ingresstest.Proxy
	url    string // of the page, as a browser has it
	data   string // the add-on's /data
	listen string // of the page itself
	server *server
}

// Two users of Home Assistant. Display names are what people made up.
var (
	administrator = ingresstest.User{ID: "a11a", Name: "owner", DisplayName: "Owner"}
	onlooker      = ingresstest.User{ID: "be11", Name: "guest", DisplayName: `Guest <img src=x onerror=alert(1)> "Q" & Söhne`}
)

// ingressAddress stands for 172.30.32.2: the page must admit this one alone.
const ingressAddress = "127.0.0.3"

// addon starts the add-on in b's home, as configured, with Owner at the browser.
func (b *bench) addon() *addon {
	b.Helper()
	_, networks, _ := strings.Cut(b.home.Configuration(), "\nnetworks:")
	return b.addonWith("networks:" + networks)
}

// addonWith starts the add-on with that z2mha.yaml, or with an empty /data.
func (b *bench) addonWith(yaml string) *addon {
	b.Helper()
	if !web.HasHTMX() {
		missing(b.T, "the page's script, HTMX,", "run: make assets")
	}
	host, port, err := net.SplitHostPort(b.home.Broker())
	if err != nil {
		b.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		b.Fatal(err)
	}
	a := &addon{bench: b, data: filepath.Join(b.home.Dir, "data"), super: supervisortest.Start(b, supervisortest.Options{
		MQTT: &supervisortest.MQTT{Host: host, Port: number},
		Users: []supervisortest.User{
			{ID: administrator.ID, Name: administrator.Name, Groups: []string{"system-admin"}},
			{ID: onlooker.ID, Name: onlooker.Name, Groups: []string{"system-users"}},
		},
	})}
	if err := os.MkdirAll(a.data, 0o700); err != nil {
		b.Fatal(err)
	}
	writeFile(b.T, filepath.Join(a.data, "options.json"), `{"log_level": "info"}`)
	if yaml != "" {
		writeFile(b.T, filepath.Join(a.data, "z2mha.yaml"), "%s", yaml)
	}
	a.listen, _ = freeAddress(b.T, "127.0.0.1")
	a.run()
	from := &net.TCPAddr{IP: net.ParseIP(ingressAddress)}
	transport := &http.Transport{DisableCompression: true, DialContext: (&net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}).DialContext}
	b.Cleanup(transport.CloseIdleConnections)
	a.proxy = &ingresstest.Proxy{Target: "http://" + a.listen, Transport: transport}
	a.proxy.SetUser(administrator)
	a.url = a.proxy.Serve(b.T)
	return a
}

// run starts the program and waits until it answers.
func (a *addon) run() {
	a.Helper()
	cmd := exec.Command(z2mhaBinary, "serve", "--addon")
	cmd.Env = append(os.Environ(), "Z2MHA_DATA="+a.data, "Z2MHA_LISTEN="+a.listen, "Z2MHA_INGRESS="+ingressAddress,
		"Z2MHA_SUPERVISOR="+a.super.URL, "SUPERVISOR_TOKEN="+a.super.Token)
	a.server = started(a.T, cmd, filepath.Join(a.home.Dir, "serve.log"))
	a.server.listens(a.T, a.listen)
}

// end asks the program to end, as Supervisor does, and waits until it has.
func (a *addon) end() {
	a.Helper()
	if err := a.server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.Fatal(err)
	}
	select {
	case <-a.server.done:
	case <-time.After(patience):
		a.Fatal("z2mha serve does not end")
	}
	if code := a.server.cmd.ProcessState.ExitCode(); code != exitOK {
		a.Errorf("z2mha serve ended with code %d:\n%s", code, a.server.printed())
	}
}

// publish sends what Home Assistant sends when somebody presses a button there.
func (a *addon) publish(topic, payload string) {
	a.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + a.home.Broker()).SetClientID("home-assistant"))
	if t := c.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		a.Fatalf("connect to the broker: %v", t.Error())
	}
	defer c.Disconnect(100)
	if t := c.Publish(topic, 1, false, payload); !t.WaitTimeout(patience) || t.Error() != nil {
		a.Fatalf("publish to %s: %v", topic, t.Error())
	}
}

// logKeepsSecrets reads what the program has logged.
func (a *addon) logKeepsSecrets() {
	a.Helper()
	text := a.server.printed()
	a.keepsSecrets(text)
	if strings.Contains(text, a.super.Token) {
		a.Error("the log contains the Supervisor's token")
	}
}

// get is a request that comes from another place than ingress.
func (a *addon) get(path string) (status int, text string) {
	a.Helper()
	answer, err := http.Get("http://" + a.listen + path)
	if err != nil {
		a.Fatal(err)
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err != nil {
		a.Fatal(err)
	}
	return answer.StatusCode, body.String()
}

// artifacts is where a test leaves what a person may want to look at.
func artifacts(t testing.TB) string { return cmp.Or(os.Getenv("Z2MHA_ARTIFACTS"), t.ArtifactDir()) }
