package supervisor

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// What calls fail with, beside *APIError and the errors of a context. The first three
// pass by themselves: a call comes back with one of them only when its context has ended.
var (
	ErrNotReady       = errors.New("the Supervisor is not ready")
	ErrCoreNotRunning = errors.New("behind the Supervisor, Home Assistant is not running")
	ErrUnreachable    = errors.New("the Supervisor cannot be reached")

	// ErrForbidden comes with what the add-on's config.yaml lacks.
	ErrForbidden = errors.New("the Supervisor does not allow it")
	ErrNoToken   = errors.New("there is no SUPERVISOR_TOKEN: this is not an add-on, or the service was started without with-contenv")
	ErrNoMQTT    = errors.New("the Supervisor knows no MQTT broker: install the Mosquitto broker add-on and start it, or write a broker into the option mqtt")
)

// An APIError is any other answer that is not a success.
type APIError struct {
	Call    string // as in "POST /addons/self/options"
	Status  int    // of HTTP
	Message string // what was said, shortened and on one line; may be ""
	Key     string // the Supervisor's error_key, as in "app_configuration_invalid_error"; often ""
}

func (e *APIError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s: answered with status %d", e.Call, e.Status)
	}
	return fmt.Sprintf("%s: answered with status %d: %s", e.Call, e.Status, e.Message)
}

// passes says that err goes away when one waits.
func passes(err error) bool {
	return errors.Is(err, ErrNotReady) || errors.Is(err, ErrCoreNotRunning) || errors.Is(err, ErrUnreachable)
}

// longestMessage of somebody else is shown, in bytes.
const longestMessage = 300

// clean makes foreign text fit to be shown: one line, not long, and without the token.
func (c *Client) clean(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), c.token.Reveal(), hidden)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(text) <= longestMessage {
		return text
	}
	return strings.ToValidUTF8(text[:longestMessage], "") + "…"
}
