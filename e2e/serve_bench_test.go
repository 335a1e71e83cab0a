package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

// A serving is a `z2mha serve` that runs, and a person who looks at its page.
type serving struct {
	*testing.T
	cmd *exec.Cmd
	out *spoken
	saw *spoken // every answer of the page
}

// servePatience is how long anything may take on a busy machine.
const servePatience = time.Minute

// spoken is output that is read while more comes.
type spoken struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// served starts z2mha on its own with a configuration file.
func served(t *testing.T, config string) *serving {
	t.Helper()
	return observed(t, exec.Command(z2mhaBinary, "--config", config, "serve"))
}

// inSupervisor starts z2mha as an add-on whose folder is data. Without fake there is
// no Supervisor. The page admits 127.0.0.1.
func inSupervisor(t *testing.T, data string, fake *supervisortest.Fake, env ...string) *serving {
	t.Helper()
	cmd := exec.Command(z2mhaBinary, "serve", "--addon")
	cmd.Env = append(withoutSupervisor(), "Z2MHA_DATA="+data, "Z2MHA_LISTEN=127.0.0.1:0", "Z2MHA_INGRESS=127.0.0.1")
	if fake != nil {
		cmd.Env = append(cmd.Env, "Z2MHA_SUPERVISOR="+fake.URL, "SUPERVISOR_TOKEN="+fake.Token)
	}
	cmd.Env = append(cmd.Env, env...)
	return observed(t, cmd)
}

func withoutSupervisor() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SUPERVISOR_") && !strings.HasPrefix(e, "Z2MHA_") {
			env = append(env, e)
		}
	}
	return env
}

func observed(t *testing.T, cmd *exec.Cmd) *serving {
	t.Helper()
	s := &serving{T: t, cmd: cmd, out: new(spoken), saw: new(spoken)}
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd, s.out)
		}
	})
	return s
}

// kill ends it at once.
func (s *serving) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // it may have ended
		_ = s.cmd.Wait()
	}
}

// quit asks it to end, as a service manager does, and returns its exit code.
func (s *serving) quit() int {
	s.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	late := time.AfterFunc(servePatience, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		s.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// until waits for something that no message announces.
func (s *serving) until(what string, holds func() bool) {
	s.Helper()
	if !waitFor(s.Context(), holds) {
		s.Fatalf("never came true: %s", what)
	}
}

func waitFor(ctx context.Context, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, servePatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// logs waits for a line of the log that has all words.
func (s *serving) logs(words ...string) {
	s.Helper()
	s.until(fmt.Sprintf("the log says %q", words), func() bool {
		for line := range strings.Lines(s.out.String()) {
			if hasAll(strings.ReplaceAll(line, `\"`, `"`), words) {
				return true
			}
		}
		return false
	})
}

func hasAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

var pageServed = regexp.MustCompile(`msg="page served" address=(\S+)`)

// base is where the page is served, "" while it is not.
func (s *serving) base() string {
	found := pageServed.FindAllStringSubmatch(s.out.String(), -1)
	if len(found) == 0 {
		return ""
	}
	return "http://" + found[len(found)-1][1] + "/"
}

// An answer of the page.
type answer struct {
	status int
	body   string
	header http.Header
}

// client is a browser on another loopback address.
func client(from string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
}

// try makes one request as the administrator Owner, from 127.0.0.1.
func (s *serving) try(method, path string, form url.Values, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(s.Context(), method, s.base()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-Remote-User-Id", "owner")
	req.Header.Set("X-Remote-User-Display-Name", "Owner")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("HX-Request", "true")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return s.do(client("127.0.0.1"), req)
}

func (s *serving) do(c *http.Client, req *http.Request) (answer, error) {
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Fprintf(s.saw, "%s %s: %s %v\n%s\n", req.Method, req.URL.Path, resp.Status, resp.Header, body)
	return answer{resp.StatusCode, string(body), resp.Header}, err
}

// page waits until the page answers, and returns it.
func (s *serving) request(method, path string, form url.Values, header ...string) answer {
	s.Helper()
	var got answer
	s.until(method+" "+path+" is answered", func() bool {
		var err error
		got, err = s.try(method, path, form, header...)
		return err == nil
	})
	return got
}

var tags = regexp.MustCompile(`<[^>]*>`)

// words is the page as it is read.
func (s *serving) words() string {
	got, err := s.try(http.MethodGet, "", nil)
	if err != nil || got.status != http.StatusOK {
		return fmt.Sprintf("no page: %d %v %s", got.status, err, got.body)
	}
	return readable(got.body)
}

func readable(body string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(body, " "))), " ")
}

// shows waits until the page has all words.
func (s *serving) shows(words ...string) {
	s.Helper()
	last := ""
	if !waitFor(s.Context(), func() bool { last = s.words(); return hasAll(last, words) }) {
		s.Fatalf("the page never shows %q; it shows: %s", words, last)
	}
}

// hides waits until the page shows that nowhere but in its history.
func (s *serving) hides(words string) {
	s.Helper()
	last := ""
	if !waitFor(s.Context(), func() bool {
		last, _, _ = strings.Cut(s.words(), "What happened")
		return !strings.HasPrefix(last, "no page") && !strings.Contains(last, words)
	}) {
		s.Fatalf("the page goes on showing %q; it shows: %s", words, last)
	}
}

// healthy says that the server runs and answers.
func (s *serving) healthy() {
	s.Helper()
	if got := s.request(http.MethodGet, "healthz", nil); got.status != http.StatusOK || got.body != "ok" {
		s.Errorf("healthz: %d %q", got.status, got.body)
	}
}

var seen = regexp.MustCompile(`"seen":"([0-9a-f]+)"`)

// press asks for something as a person does: it looks at the preview and confirms it.
func (s *serving) press(verb, to string) answer {
	s.Helper()
	form := url.Values{"network": {"home"}, "verb": {verb}, "to": {to}, "confirm": {to}}
	got := s.request(http.MethodPost, "preview", form)
	if got.status != http.StatusOK {
		return got
	}
	found := seen.FindStringSubmatch(html.UnescapeString(got.body))
	if found == nil {
		s.Fatalf("the preview has no fingerprint:\n%s", got.body)
	}
	form.Set("seen", found[1])
	return s.request(http.MethodPost, "ask", form)
}

// folder is a short-named directory that ends with the test.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "z2mha-serve-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// anywhere is a page on a port that is free.
const anywhere = "page: {listen: \"127.0.0.1:0\"}\n"

// describe is z2mha.yaml with two hosts that are not there.
func describe(sections ...string) string {
	node := func(name, host string) string {
		return fmt.Sprintf("      - {name: %s, host: %q, dongle: /dev/none, data: /srv/%s, service: {start: \"true\", stop: \"true\"}}\n", name, host, name)
	}
	return strings.Join(sections, "") + "networks:\n  - name: home\n    nodes:\n" + node("attic", "127.0.0.1:1") + node("cellar", "127.0.0.2:1")
}

func brokerAt(address string, more ...string) string {
	return "mqtt: {server: \"mqtt://" + address + "\"" + strings.Join(append([]string{""}, more...), ", ") + "}\n"
}

// settings writes z2mha.yaml and returns its path.
func settings(t *testing.T, dir string, text string) string {
	t.Helper()
	return writeFile(t, filepath.Join(dir, "z2mha.yaml"), "%s", text)
}

// A gate passes connections on to where it leads while it is open.
type gate struct {
	t       *testing.T
	Address string
	to      string

	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

// newGate is a closed gate to an address.
func newGate(t *testing.T, to string) *gate {
	t.Helper()
	address, _ := freeAddress(t, "127.0.0.1")
	g := &gate{t: t, Address: address, to: to}
	t.Cleanup(g.Close)
	return g
}

func (g *gate) Open() {
	g.t.Helper()
	l, err := net.Listen("tcp", g.Address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.listener = l
	g.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", g.to)
			if err != nil {
				in.Close()
				continue
			}
			g.mu.Lock()
			g.open = append(g.open, in, out)
			g.mu.Unlock()
			go pump(in, out)
			go pump(out, in)
		}
	}()
}

func pump(to, from net.Conn) {
	_, _ = io.Copy(to, from) // either side may leave
	to.Close()
	from.Close()
}

// Close cuts what goes through.
func (g *gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
	}
	for _, c := range g.open {
		c.Close()
	}
	g.listener, g.open = nil, nil
}
