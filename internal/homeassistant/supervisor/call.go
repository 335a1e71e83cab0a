package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	patience    = 20 * time.Second // for one answer
	firstWait   = 500 * time.Millisecond
	longestWait = 15 * time.Second
	longest     = 4 << 20 // bytes of an answer
)

// A call is one request to the Supervisor or, below /core/, to Home Assistant.
type call struct {
	method, path string
	body         any    // sent as JSON; nothing when nil
	needs        string // what config.yaml of the add-on must say for it
	once         bool   // must not be repeated when it may have been carried out
}

const (
	needsToken = "the token is not that of the running add-on; restart it"
	needsCore  = "homeassistant_api: true is missing in config.yaml of the add-on, or the token is not that of its last start"
	needsMQTT  = `services: ["mqtt:want"] is missing in config.yaml of the add-on, or the token is not that of its last start`
)

func (k call) String() string { return k.method + " " + k.path }

func (k call) core() bool { return strings.HasPrefix(k.path, "/core/") }

// do makes a call, again and again while it fails with something that passes.
func (c *Client) do(ctx context.Context, k call, out any) error {
	return c.persist(ctx, k.String(), func() (bool, error) {
		err := c.try(ctx, k, out)
		return passes(err) && !(k.once && errors.Is(err, ErrUnreachable)), err
	})
}

// persist repeats try with growing pauses while it says so.
func (c *Client) persist(ctx context.Context, name string, try func() (again bool, err error)) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		again, err := try()
		if !again {
			return err
		}
		c.log.Log(ctx, waitLevel(wait == firstWait), "waiting for an answer", "call", name, "again in", wait, "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}

// waitLevel is for saying once that we wait, and then only to those who look closely.
func waitLevel(first bool) slog.Level {
	if first {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// try makes a call once and decodes the answer into out, unless that is nil.
func (c *Client) try(ctx context.Context, k call, out any) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, data, err := c.exchange(limited, k)
	if err != nil {
		return c.lost(ctx, k, err)
	}
	return c.read(k, status, data, out)
}

// exchange sends a call and returns the answer as it comes.
func (c *Client) exchange(ctx context.Context, k call) (status int, data []byte, err error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err = io.ReadAll(io.LimitReader(resp.Body, longest+1))
	if err == nil && len(data) > longest {
		err = errTooLong
	}
	return resp.StatusCode, data, err
}

var errTooLong = fmt.Errorf("the answer is longer than %d MiB", longest>>20)

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		data, err := json.Marshal(k.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.base+k.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// lost says why there is no answer.
func (c *Client) lost(ctx context.Context, k call, err error) error {
	_, unfit := errors.AsType[*json.UnsupportedTypeError](err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", k, context.Cause(ctx))
	case unfit, errors.Is(err, errTooLong):
		return fmt.Errorf("%s: %w", k, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: no answer within %s", k, ErrUnreachable, patience)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the address, which everybody knows
	}
	return fmt.Errorf("%s: %w: %s", k, ErrUnreachable, c.clean(err.Error()))
}

// An envelope is what the Supervisor wraps its answers into. Home Assistant uses only
// message, and only for errors.
type envelope struct {
	Result  string          `json:"result"`
	Data    json.RawMessage `json:"data"`
	Message string          `json:"message"`
	Key     string          `json:"error_key"`
}

// read sorts an answer into out or an error.
func (c *Client) read(k call, status int, data []byte, out any) error {
	if status < 200 || status > 299 {
		return c.refusal(k, status, data)
	}
	if !k.core() {
		var e envelope
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("%s: read answer: %w", k, err)
		}
		if e.Result != "ok" {
			return c.refusal(k, status, data)
		}
		data = e.Data
	}
	if out == nil {
		return nil
	}
	if len(data) == 0 {
		return fmt.Errorf("%s: the answer is empty", k)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s: read answer: %w", k, err)
	}
	return nil
}

// refusal is the error that an answer other than a success means. The text of 401 and
// 403 is plain, "403: Forbidden"; that of others may be either.
func (c *Client) refusal(k call, status int, data []byte) error {
	e := &APIError{Call: k.String(), Status: status}
	var said envelope
	if json.Unmarshal(data, &said) == nil {
		e.Message, e.Key = c.clean(said.Message), c.clean(said.Key)
	} else {
		e.Message = c.clean(string(data[:min(len(data), 2*longestMessage)]))
	}
	switch {
	case status >= 300 && status <= 399:
		e.Message = "sends us elsewhere, and we do not follow"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%s: %w: %s (status %d)", k, ErrForbidden, k.needs, status)
	case strings.Contains(e.Message, "System is not ready"):
		return fmt.Errorf("%s: %w: %s", k, ErrNotReady, e.Message)
	case status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout && k.core():
		return fmt.Errorf("%s: %w (status %d)", k, ErrCoreNotRunning, status)
	case status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout:
		return fmt.Errorf("%s: %w (status %d)", k, ErrNotReady, status)
	}
	return e
}
