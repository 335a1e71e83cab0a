package supervisor

import (
	"context"
	"net/http"
	"strings"
)

// CoreConfig is how Home Assistant itself is set up.
type CoreConfig struct {
	Version      string `json:"version"`
	LocationName string `json:"location_name"`
	TimeZone     string `json:"time_zone"` // as in Europe/Berlin
	Language     string `json:"language"`  // as in de
}

// CoreConfig asks Home Assistant how it is set up.
func (c *Client) CoreConfig(ctx context.Context) (CoreConfig, error) {
	var cfg CoreConfig
	err := c.do(ctx, call{method: http.MethodGet, path: "/core/api/config", needs: needsCore}, &cfg)
	return cfg, err
}

// Notify shows a notification in Home Assistant. One with the same id is replaced.
// The message is Markdown: pass foreign names through Plain. Home Assistant forgets its
// notifications when it restarts.
func (c *Client) Notify(ctx context.Context, id, title, message string) error {
	return c.do(ctx, notify(id, title, message), nil)
}

// Dismiss takes a notification away; it does not matter whether there is one.
func (c *Client) Dismiss(ctx context.Context, id string) error {
	return c.do(ctx, dismiss(id), nil)
}

func notify(id, title, message string) call {
	body := map[string]string{"notification_id": id, "title": title, "message": message}
	return service("create", body)
}

func dismiss(id string) call { return service("dismiss", map[string]string{"notification_id": id}) }

func service(verb string, body map[string]string) call {
	path := "/core/api/services/persistent_notification/" + verb
	return call{method: http.MethodPost, path: path, body: body, needs: needsCore}
}

// Plain makes text mean only itself in Markdown: a device called [x](http://…) becomes
// no link. Line breaks become blanks.
func Plain(text string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if r < 0x80 && strings.ContainsRune(punctuation, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// punctuation is all that a backslash may stand before. Source: CommonMark 0.31, 2.4.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
