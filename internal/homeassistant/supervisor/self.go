package supervisor

import (
	"context"
	"encoding/json"
	"net/http"
)

// Self is what the Supervisor knows of this add-on.
type Self struct {
	Slug            string `json:"slug"` // full, as in 0a1b2c3d_zigbee2mqtt_ha
	Name            string `json:"name"`
	Version         string `json:"version"`
	VersionLatest   string `json:"version_latest"`
	UpdateAvailable bool   `json:"update_available"`
	State           string `json:"state"` // startup, started, stopped, unknown, error
	Hostname        string `json:"hostname"`
	IPAddress       string `json:"ip_address"`
	IngressEntry    string `json:"ingress_entry"` // /api/hassio_ingress/TOKEN, without a slash at the end
	IngressURL      string `json:"ingress_url"`
	IngressPort     int    `json:"ingress_port"`
	IngressPanel    bool   `json:"ingress_panel"` // shown in the sidebar
	Boot            string `json:"boot"`          // auto or manual
	Watchdog        bool   `json:"watchdog"`
	AutoUpdate      bool   `json:"auto_update"`
	Protected       bool   `json:"protected"`
	Rating          int    `json:"rating"`
	HassioRole      string `json:"hassio_role"`

	// Options are those the user saved, as JSON. They hold passwords.
	Options Secret `json:"-"`
}

// Self asks about this add-on.
func (c *Client) Self(ctx context.Context) (Self, error) {
	var answer struct {
		Self
		Options json.RawMessage `json:"options"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/addons/self/info", needs: needsToken}, &answer)
	if err != nil {
		return Self{}, err
	}
	answer.Self.Options = NewSecret(string(answer.Options))
	return answer.Self, nil
}

// Options returns the saved options as the add-on will get them at its next start, with
// secrets resolved and defaults filled in.
func (c *Client) Options(ctx context.Context) (Options, []Problem, error) {
	var raw json.RawMessage
	err := c.do(ctx, call{method: http.MethodGet, path: "/addons/self/options/config", needs: needsToken}, &raw)
	if err != nil {
		return Options{}, nil, err
	}
	o, problems := ParseOptions(raw)
	return o, problems, nil
}

// SetOptions saves options, all of them; nil means the defaults. They count from the
// next start. An *APIError says what the schema does not allow.
func (c *Client) SetOptions(ctx context.Context, options map[string]any) error {
	body := map[string]any{"options": options}
	if options == nil {
		body["options"] = nil
	}
	return c.do(ctx, call{method: http.MethodPost, path: "/addons/self/options", body: body, needs: needsToken}, nil)
}

// Restart ends this add-on and starts it again. Usually the process is gone before the
// answer comes.
func (c *Client) Restart(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/addons/self/restart", needs: needsToken, once: true}, nil)
}

// Stats is what this add-on uses; sizes in bytes since its start.
type Stats struct {
	CPUPercent    float64 `json:"cpu_percent"`
	MemoryUsage   int64   `json:"memory_usage"`
	MemoryLimit   int64   `json:"memory_limit"`
	MemoryPercent float64 `json:"memory_percent"`
	NetworkRx     int64   `json:"network_rx"`
	NetworkTx     int64   `json:"network_tx"`
	BlkRead       int64   `json:"blk_read"`
	BlkWrite      int64   `json:"blk_write"`
}

// Stats asks what this add-on uses now.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := c.do(ctx, call{method: http.MethodGet, path: "/addons/self/stats", needs: needsToken}, &s)
	return s, err
}
