package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"z2mha/internal/config"
	"z2mha/internal/homeassistant/supervisor"
)

// Surroundings are where the server lives: in an add-on or on its own.
type surroundings struct {
	addon    bool
	config   string     // z2mha.yaml
	state    string     // "" means beside the configuration
	listen   string     // "" means what the configuration says
	ingress  netip.Addr // the only address admitted; not valid means Supervisor's
	folder   string     // one that the user sees, "" when there is none
	options  supervisor.Options
	problems []supervisor.Problem // with the options
	super    *supervisor.Client   // nil without a Supervisor
	superErr error                // why there is none, in an add-on
}

const (
	addonListen = ":8099" // config.yaml names no other ingress_port
	seenByUsers = "/config"
)

// inAddon reads what the Supervisor has put in place. Nothing of it is an error: the
// server runs and says what is missing.
//
// The environment may change it, so that the add-on can be tried where there is no
// Supervisor: Z2MHA_DATA is its folder (/data), Z2MHA_LISTEN where the page is served
// (:8099), Z2MHA_SUPERVISOR the address of a stand-in, and Z2MHA_INGRESS the only
// address that the page admits, that of a proxy like Supervisor's (172.30.32.2).
func inAddon(log *slog.Logger) surroundings {
	data := cmp.Or(os.Getenv("Z2MHA_DATA"), "/data")
	s := surroundings{
		addon:  true,
		config: filepath.Join(data, "z2mha.yaml"),
		state:  filepath.Join(data, "state"),
		listen: cmp.Or(os.Getenv("Z2MHA_LISTEN"), addonListen),
	}
	if info, err := os.Stat(seenByUsers); err == nil && info.IsDir() && data == "/data" {
		s.folder = seenByUsers
	}
	s.options, s.problems = supervisor.ReadOptions(filepath.Join(data, "options.json"))
	if name := os.Getenv("Z2MHA_INGRESS"); name != "" {
		var err error
		if s.ingress, err = netip.ParseAddr(name); err != nil {
			log.Error("Z2MHA_INGRESS is not an IP address; the page admits Supervisor only", "err", err)
		}
	}
	s.super, s.superErr = supervisor.New(supervisor.Config{
		URL: os.Getenv("Z2MHA_SUPERVISOR"), Token: supervisor.NewSecret(os.Getenv("SUPERVISOR_TOKEN")), Log: log,
	})
	return s
}

// superPatience is how long the Supervisor may take to name the broker before the
// server goes on without.
const superPatience = 10 * time.Second

// broker is the override of the options, or what the Supervisor offers; nil when
// there is neither, and then the error says what to do.
func (s *surroundings) broker(ctx context.Context) (*config.MQTT, error) {
	if s.options.MQTT.Server != "" {
		return s.override()
	}
	if s.super == nil {
		return nil, s.superErr
	}
	ctx, cancel := context.WithTimeout(ctx, superPatience)
	defer cancel()
	got, err := s.super.MQTT(ctx)
	if err != nil {
		return nil, err
	}
	server, err := config.ParseServer(got.Server())
	if err != nil {
		return nil, fmt.Errorf("the broker that Home Assistant names: %w", err)
	}
	return &config.MQTT{Server: server, User: got.User, Password: config.NewSecret(got.Password.Reveal()), ClientID: "z2mha"}, nil
}

func (s *surroundings) override() (*config.MQTT, error) {
	o := s.options.MQTT
	server, err := config.ParseServer(o.Server)
	if err != nil {
		return nil, fmt.Errorf("option mqtt.server: %w", err)
	}
	if o.CA != "" && !server.TLS {
		return nil, errors.New("option mqtt.ca: a certificate without TLS; write mqtts:// in mqtt.server, or remove ca")
	}
	return &config.MQTT{Server: server, User: o.User, Password: config.NewSecret(o.Password.Reveal()), CA: o.CA, ClientID: "z2mha"}, nil
}

// load reads the configuration with what the surroundings tell. The options win over
// the file, and the file over what Home Assistant offers.
func (s *surroundings) load(ctx context.Context) (*config.Config, error) {
	d := config.Defaults{State: s.state}
	var brokerErr error
	if s.addon {
		d.MQTT, brokerErr = s.broker(ctx)
	}
	cfg, err := config.LoadWith(s.config, d)
	if err != nil {
		if _, peeked := s.peek(); peeked == nil && brokerErr != nil {
			return nil, brokerErr // all that the file lacks
		}
		return nil, errors.Join(err, brokerErr)
	}
	if s.addon && s.options.MQTT.Server != "" {
		if brokerErr != nil {
			return nil, brokerErr
		}
		cfg.MQTT = *d.MQTT
	}
	return cfg, nil
}

// peek reads the configuration without asking anybody for the broker.
func (s *surroundings) peek() (*config.Config, error) {
	return config.LoadWith(s.config, config.Defaults{MQTT: &config.MQTT{}, State: s.state})
}

// defaults are those of a file that a person is about to write.
func (s *surroundings) defaults() config.Defaults {
	if !s.addon {
		return config.Defaults{}
	}
	return config.Defaults{MQTT: &config.MQTT{}, State: s.state}
}
