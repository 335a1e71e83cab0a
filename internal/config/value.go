package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A refusal is why a value cannot be used and what to write instead.
type refusal struct{ what, remedy string }

func (r *refusal) Error() string { return r.what + "; " + r.remedy }

func refuse(what, remedy string) error { return &refusal{what, remedy} }

// A Host is an SSH address.
type Host struct {
	Name string // name or IP address, without brackets
	Port int
}

// String returns name:port or [v6]:port, ready to dial.
func (h Host) String() string { return net.JoinHostPort(h.Name, strconv.Itoa(h.Port)) }

func parseHost(s string) (Host, error) {
	const remedy = "write NAME, NAME:PORT, [IPv6] or [IPv6]:PORT"
	if ip, err := netip.ParseAddr(s); err == nil {
		if ip.Is6() {
			return Host{}, refuse("an IPv6 address without brackets", "write ["+s+"]")
		}
		return Host{Name: s, Port: 22}, nil
	}
	name, port, err := splitPort(s, 22)
	if err != nil {
		return Host{}, refuse(err.Error(), remedy)
	}
	if strings.HasPrefix(s, "[") {
		if ip, err := netip.ParseAddr(name); err != nil || !ip.Is6() {
			return Host{}, refuse("no IPv6 address in the brackets", remedy)
		}
	} else if !hostName.MatchString(name) {
		return Host{}, refuse("not a host name", remedy+"; the user goes into user:")
	}
	return Host{Name: strings.ToLower(name), Port: port}, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// splitPort splits host, host:port, [v6] or [v6]:port.
func splitPort(s string, fallback int) (string, int, error) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return s[1 : len(s)-1], fallback, nil
	}
	if !strings.Contains(s, ":") {
		return s, fallback, nil
	}
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errors.New("not an address")
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return "", 0, errors.New("not a port from 1 to 65535")
	}
	return host, int(port), nil
}

// A Server is an MQTT broker's address.
type Server struct {
	TLS     bool
	Address string // host:port or [v6]:port
}

// String returns the address as it is written in the file, with the port.
func (s Server) String() string {
	if s.TLS {
		return "mqtts://" + s.Address
	}
	return "mqtt://" + s.Address
}

// ParseServer reads mqtt://HOST[:PORT] or mqtts://HOST[:PORT].
func ParseServer(s string) (Server, error) { return parseServer(s) }

func parseServer(s string) (Server, error) {
	const remedy = "write mqtt://HOST, mqtt://HOST:PORT or mqtts://HOST:PORT"
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return Server{}, refuse("not the address of a broker", remedy)
	}
	if u.Scheme != "mqtt" && u.Scheme != "mqtts" {
		return Server{}, refuse("only mqtt:// and mqtts:// are spoken", remedy)
	}
	fallback := 1883
	if u.Scheme == "mqtts" {
		fallback = 8883
	}
	host, port, err := splitPort(u.Host, fallback)
	if err != nil {
		return Server{}, refuse(err.Error(), remedy)
	}
	return Server{TLS: u.Scheme == "mqtts", Address: net.JoinHostPort(host, strconv.Itoa(port))}, nil
}

// A Dongle is where a coordinator is found: a device file on the host, or
// tcp://host:port for one in the network.
type Dongle string

// InNetwork says that the coordinator is reached over TCP, not through the host.
func (d Dongle) InNetwork() bool { return strings.HasPrefix(string(d), "tcp://") }

func parseDongle(s string) (Dongle, error) {
	address, ok := strings.CutPrefix(s, "tcp://")
	if !ok {
		path, err := parsePath(s)
		if err != nil && strings.HasPrefix(s, "~") {
			return "", err
		}
		if err != nil || path == "/" {
			return "", refuse("neither a device file nor a network coordinator", "write /dev/serial/by-id/… or tcp://HOST:PORT")
		}
		return Dongle(path), nil
	}
	host, port, err := splitPort(strings.TrimSuffix(address, "/"), 0)
	if err != nil || host == "" || port == 0 {
		return "", refuse("host or port is missing", "write tcp://HOST:PORT, for example tcp://192.0.2.21:6638")
	}
	return Dongle("tcp://" + net.JoinHostPort(strings.ToLower(host), strconv.Itoa(port))), nil
}

func parsePath(s string) (string, error) {
	if strings.HasPrefix(s, "~") {
		return "", refuse("~ is not expanded here", "write the whole path")
	}
	if !filepath.IsAbs(s) {
		return "", refuse("a relative path", "write it from the root, for example /opt/zigbee2mqtt/data")
	}
	if strings.ContainsAny(s, "\x00\n\r") {
		return "", refuse("a path with a control character", "write it on one line")
	}
	return filepath.Clean(s), nil
}

func parseName(s string) (string, error) {
	if !name.MatchString(s) {
		return "", refuse("not usable as a name", "use only a-z, 0-9, _ and -")
	}
	if slices.Contains(reserved, s) {
		return "", refuse("a name that is used inside the state directory", "choose another name")
	}
	return s, nil
}

var (
	name     = regexp.MustCompile(`^[a-z0-9_-]+$`)
	reserved = []string{"blobs", "damaged"}
)

func parseWord(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, " \t\r\n") {
		return "", refuse("empty or with a blank", "write one word")
	}
	return s, nil
}

func parseTopic(s string) (string, error) {
	switch {
	case s == "" || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.ContainsAny(s, "+#\x00"):
		return "", refuse("not a base topic", "write mqtt.base_topic of Zigbee2MQTT, for example zigbee2mqtt")
	case s == "z2mha" || strings.HasPrefix(s, "z2mha/"):
		return "", refuse("our own base topic", "write mqtt.base_topic of Zigbee2MQTT, for example zigbee2mqtt")
	}
	return s, nil
}

func parseCommand(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", refuse("empty", "write the command")
	}
	return s, nil
}

func parseKey(s string) (string, error) {
	if !dottedKey.MatchString(s) {
		return "", refuse("not a key of configuration.yaml", "write it with dots, for example advanced.log_level")
	}
	return s, nil
}

var dottedKey = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, refuse("a number without a unit", fmt.Sprintf("write %ss for seconds", strings.TrimPrefix(s, "-")))
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, refuse("not a duration", "write for example 500ms, 90s or 2m")
	}
	if d <= 0 {
		return 0, refuse("not above zero", "write for example 500ms, 90s or 2m")
	}
	return d, nil
}

// between returns a parser of durations within bounds, which it names in words.
func between(shortest, longest time.Duration, least, most string) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		remedy := "write a time from " + least + " to " + most
		switch {
		case err != nil:
			return 0, err
		case d < shortest:
			return 0, refuse("too often: every capture is work for the hosts and the stick", remedy)
		case d > longest:
			return 0, refuse("too rare: what happens between two captures is lost with the host", remedy)
		}
		return d, nil
	}
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, refuse("neither true nor false", "write true or false")
}

// oneOf returns a parser of the given words.
func oneOf[T ~string](words ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		if slices.Contains(words, T(s)) {
			return T(s), nil
		}
		var b strings.Builder
		for i, w := range words {
			b.WriteString([]string{"", ", "}[min(i, 1)] + string(w))
		}
		return "", refuse("not one of the choices", "write one of: "+b.String())
	}
}
