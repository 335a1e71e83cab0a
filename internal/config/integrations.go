package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// HomeAssistant is what Home Assistant is told over MQTT.
type HomeAssistant struct {
	Discovery bool   // publish entities; true
	Prefix    string // of discovery topics: homeassistant
	BaseTopic string // of our own topics: z2mha
}

// A TrapReceiver is where SNMP v2c traps go.
type TrapReceiver struct {
	Address   string // host:port
	Community Secret
	Format    TrapFormat
}

// A TrapFormat is the shape of a trap.
type TrapFormat string

const (
	TrapOwn       TrapFormat = "z2mha"     // mibs/Z2MHA-MIB.txt
	TrapPrototype TrapFormat = "prototype" // as the shell scripts sent them
)

// Page is where the page is served when z2mha does not run as an add-on.
type Page struct {
	Listen   string // host:port: 127.0.0.1:8099
	Password Secret // wanted when Listen is not a loopback address
}

const defaultListen = "127.0.0.1:8099"

func (r *reader) homeAssistant(top *section) HomeAssistant {
	h := HomeAssistant{Discovery: true, Prefix: "homeassistant", BaseTopic: "z2mha"}
	v, ok := top.field("homeassistant")
	if !ok {
		return h
	}
	s := v.section()
	defer s.close()
	return HomeAssistant{
		Discovery: read(s, "discovery", parseBool, h.Discovery),
		Prefix:    read(s, "prefix", parsePlainTopic, h.Prefix),
		BaseTopic: read(s, "base_topic", parsePlainTopic, h.BaseTopic),
	}
}

func (r *reader) snmp(top *section) []TrapReceiver {
	v, ok := top.field("snmp")
	if !ok {
		return nil
	}
	var out []TrapReceiver
	for _, entry := range v.list() {
		s := entry.section()
		t := TrapReceiver{
			Address:   need(s, "address", parseReceiver, "say where traps go, for example 192.0.2.9 or 192.0.2.9:162"),
			Community: secret(s, "community"),
			Format:    read(s, "format", oneOf(TrapOwn, TrapPrototype), TrapOwn),
		}
		if !t.Community.IsSet() {
			t.Community = NewSecret("public")
		}
		s.close()
		out = append(out, t)
	}
	return out
}

func (r *reader) page(top *section) Page {
	p := Page{Listen: defaultListen}
	v, ok := top.field("page")
	if !ok {
		return p
	}
	s := v.section()
	defer s.close()
	p = Page{Listen: read(s, "listen", parseListen, p.Listen), Password: secret(s, "password")}
	if !p.Password.IsSet() && !loopback(p.Listen) {
		s.place("listen").problem("reachable from other machines without a password",
			"add password:, or write 127.0.0.1 and put a proxy with a login in front of it")
	}
	return p
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkTopics keeps our own topics apart from Zigbee2MQTT's and from discovery.
func checkTopics(c *Config, s *section) {
	own := c.HomeAssistant.BaseTopic
	if own == c.HomeAssistant.Prefix {
		s.place("homeassistant").problem("base_topic is the discovery prefix", "give our own topics another base, for example z2mha")
	}
	for _, n := range c.Networks {
		if within(n.BaseTopic, own) || within(own, n.BaseTopic) {
			s.place("homeassistant").problem("base_topic "+own+" and that of network "+n.Name+" lie within one another",
				"give our own topics another base, for example z2mha")
		}
	}
}

func within(topic, base string) bool { return topic == base || strings.HasPrefix(topic, base+"/") }

func parsePlainTopic(s string) (string, error) {
	if s == "" || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.ContainsAny(s, "+#\x00 $") {
		return "", refuse("not a topic", "write a word, or several with / between them")
	}
	return s, nil
}

func parseReceiver(s string) (string, error) {
	host, port, err := splitPort(s, 162)
	if err != nil || host == "" {
		return "", refuse("not an address", "write NAME, NAME:PORT or [IPv6]:PORT")
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

func parseListen(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	n, nerr := strconv.ParseUint(port, 10, 16)
	if err != nil || nerr != nil || n == 0 && port != "0" || strings.ContainsAny(host, " /@") {
		return "", refuse("not an address to listen at", "write for example 127.0.0.1:8099")
	}
	return net.JoinHostPort(host, port), nil
}
