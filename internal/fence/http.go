package fence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// HTTP is a device with a web interface. URLs and headers may hold secrets: only the host
// is ever shown.
type HTTP struct {
	Method        string // of the call that switches off
	URL           string
	Body          string
	ContentType   string // of Body; "" lets the server guess
	Authorization string // header of both calls, "" for none

	ConfirmURL string // asked with GET
	Expect     Expectation
}

// longestAnswer bounds what is read of an answer.
const longestAnswer = 256 << 10

// client follows no redirect: that could carry the secret elsewhere.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (h *HTTP) String() string { return "the HTTP call to " + host(h.URL) }

// host is the part of an address that may be shown.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "an address that cannot be read"
	}
	return u.Host
}

// Off makes the call.
func (h *HTTP) Off(ctx context.Context) error {
	_, err := h.call(ctx, h.Method, h.URL, h.Body)
	return err
}

// State asks the confirmation.
func (h *HTTP) State(ctx context.Context) (bool, string, error) {
	answer, err := h.call(ctx, http.MethodGet, h.ConfirmURL, "")
	if err != nil {
		return false, "", err
	}
	return h.Expect.met(answer)
}

// Check asks the confirmation for whatever it says.
func (h *HTTP) Check(ctx context.Context) error {
	_, _, err := h.State(ctx)
	return err
}

func (h *HTTP) call(ctx context.Context, method, address, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the address cannot be used") // err would show it
	}
	if h.Authorization != "" {
		req.Header.Set("Authorization", h.Authorization)
	}
	if body != "" && h.ContentType != "" {
		req.Header.Set("Content-Type", h.ContentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", req.URL.Host, withoutAddress(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("%s answers with status %d", req.URL.Host, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s breaks off: %w", req.URL.Host, err)
	}
	return answer, nil
}

func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
