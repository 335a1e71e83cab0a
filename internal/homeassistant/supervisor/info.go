package supervisor

import (
	"context"
	"net/http"
)

// Info is what the Supervisor says of the machine and of what runs on it. A version is
// "" when that part is missing: a supervised Debian has no HassOS.
type Info struct {
	Supervisor    string `json:"supervisor"`
	HomeAssistant string `json:"homeassistant"`
	HassOS        string `json:"hassos"`
	Hostname      string `json:"hostname"`
	Machine       string `json:"machine"`
	Arch          string `json:"arch"`
	Channel       string `json:"channel"`
	State         string `json:"state"`
	Timezone      string `json:"timezone"`
}

// Info asks about the machine.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var i Info
	err := c.do(ctx, call{method: http.MethodGet, path: "/info", needs: needsToken}, &i)
	return i, err
}
