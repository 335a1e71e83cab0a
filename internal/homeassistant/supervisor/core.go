package supervisor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
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

// An Entity is what Home Assistant says of one now.
type Entity struct {
	ID         string `json:"entity_id"`
	State      string `json:"state"` // "unavailable" and "unknown" are no states of the thing
	Attributes struct {
		// AssumedState says that Home Assistant believes its own command: nobody tells it
		// how the thing really is.
		AssumedState bool   `json:"assumed_state"`
		Unit         string `json:"unit_of_measurement"`
	} `json:"attributes"`
	Updated  time.Time `json:"last_updated"`  // state or attributes have changed
	Reported time.Time `json:"last_reported"` // somebody has told it, perhaps the same; zero before 2024.8
}

// Told is when Home Assistant was told the state last.
func (e Entity) Told() time.Time {
	if e.Reported.After(e.Updated) {
		return e.Reported
	}
	return e.Updated
}

// Entity asks for the state of an entity. It returns an *APIError with status 404 when
// there is none of that id.
func (c *Client) Entity(ctx context.Context, id string) (Entity, error) {
	var e Entity
	err := c.do(ctx, call{method: http.MethodGet, path: "/core/api/states/" + url.PathEscape(id), needs: needsCore}, &e)
	return e, err
}

// Act calls an action of Home Assistant, as in "switch.turn_off", with an entity.
func (c *Client) Act(ctx context.Context, action, entity string) error {
	domain, name, ok := strings.Cut(action, ".")
	if !ok {
		return fmt.Errorf("%q is no action", action)
	}
	path := "/core/api/services/" + url.PathEscape(domain) + "/" + url.PathEscape(name)
	return c.do(ctx, call{method: http.MethodPost, path: path, body: map[string]string{"entity_id": entity}, needs: needsCore}, nil)
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
