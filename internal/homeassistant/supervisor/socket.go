package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// socketPath is Home Assistant's WebSocket. The Supervisor checks the token itself and
// passes the rest on.
const socketPath = "/core/websocket"

// A reply is any message of Home Assistant.
type reply struct {
	ID      int             `json:"id"`
	Type    string          `json:"type"`
	Success bool            `json:"success"`
	Result  json.RawMessage `json:"result"`
	Error   struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// command asks Home Assistant one thing over a WebSocket of its own, once.
func (c *Client) command(ctx context.Context, kind string, out any) error {
	k := call{method: "WebSocket", path: socketPath + " " + kind, needs: needsCore}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.converse(limited, k, kind, out)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", k, context.Cause(ctx))
	}
	return err
}

func (c *Client) converse(ctx context.Context, k call, kind string, out any) error {
	conn, err := c.dial(ctx, k)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := c.login(ctx, k, conn); err != nil {
		return err
	}
	if err := wsjson.Write(ctx, conn, map[string]any{"id": 1, "type": kind}); err != nil {
		return c.cut(ctx, k, err)
	}
	r, err := c.await(ctx, k, conn, func(r reply) bool { return r.ID == 1 && r.Type == "result" })
	switch {
	case err != nil:
		return err
	case !r.Success && r.Error.Code == "unauthorized":
		return fmt.Errorf("%s: %w: %s", k, ErrForbidden, c.clean(r.Error.Message))
	case !r.Success:
		return &APIError{Call: k.String(), Status: http.StatusOK, Key: c.clean(r.Error.Code), Message: c.clean(r.Error.Code + ": " + r.Error.Message)}
	}
	if err := json.Unmarshal(r.Result, out); err != nil {
		return fmt.Errorf("%s: read answer: %w", k, err)
	}
	return nil
}

func (c *Client) dial(ctx context.Context, k call) (*websocket.Conn, error) {
	conn, resp, err := websocket.Dial(ctx, c.base+socketPath, &websocket.DialOptions{HTTPClient: c.http})
	switch {
	case err == nil:
		conn.SetReadLimit(longest)
		return conn, nil
	case resp == nil || resp.StatusCode == http.StatusSwitchingProtocols:
		return nil, c.lost(ctx, k, err)
	}
	var data []byte
	if resp.Body != nil {
		data, _ = io.ReadAll(resp.Body) // at most 1 KiB, in memory
	}
	return nil, c.refusal(k, resp.StatusCode, data)
}

// login answers the only question that is asked before everything else.
func (c *Client) login(ctx context.Context, k call, conn *websocket.Conn) error {
	if _, err := c.await(ctx, k, conn, func(r reply) bool { return r.Type == "auth_required" }); err != nil {
		return err
	}
	if err := wsjson.Write(ctx, conn, map[string]string{"type": "auth", "access_token": c.token.Reveal()}); err != nil {
		return c.cut(ctx, k, err)
	}
	r, err := c.await(ctx, k, conn, func(r reply) bool { return strings.HasPrefix(r.Type, "auth_") })
	if err == nil && r.Type != "auth_ok" {
		err = fmt.Errorf("%s: %w: %s", k, ErrForbidden, k.needs)
	}
	return err
}

// await reads until the message that is waited for; others are passed over.
func (c *Client) await(ctx context.Context, k call, conn *websocket.Conn, is func(reply) bool) (reply, error) {
	const most = 100
	for range most {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return reply{}, c.cut(ctx, k, err)
		}
		var r reply
		if err := json.Unmarshal(data, &r); err != nil {
			return reply{}, fmt.Errorf("%s: read answer: %w", k, err)
		}
		if is(r) {
			return r, nil
		}
	}
	return reply{}, fmt.Errorf("%s: %d messages came, and not the answer", k, most)
}

// cut says why a conversation ended early. The Supervisor closes the socket without a
// word when it cannot reach Home Assistant behind it.
func (c *Client) cut(ctx context.Context, k call, err error) error {
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("%s: %w", k, errTooLong)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w: no answer within %s", k, ErrUnreachable, patience)
	}
	return fmt.Errorf("%s: %w: the connection was closed before the answer", k, ErrCoreNotRunning)
}
