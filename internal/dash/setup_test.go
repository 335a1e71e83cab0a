package dash_test

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/a-h/templ"

	"z2mha/internal/dash"
	"z2mha/internal/dash/ingresstest"
	"z2mha/internal/failover/network"
	"z2mha/web"
)

// A fakeSetup remembers what it was asked.
type fakeSetup struct {
	mu    sync.Mutex // guards steps
	steps []string
}

func (*fakeSetup) Page(context.Context) (web.Setup, error) {
	return web.Setup{Key: "ssh-ed25519 AAAA z2mha"}, nil
}

func (f *fakeSetup) Step(_ context.Context, name string, form url.Values, by string) (templ.Component, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, name+" "+form.Get("host")+" "+by)
	if form.Get("host") == "" {
		return nil, &network.RefusedError{What: "look at the host", Why: "no host was named", Remedy: "name one"}
	}
	return web.SetupSavedPart(web.SetupSaved{What: "Written."}), nil
}

func TestSetup(t *testing.T) {
	setup := &fakeSetup{}
	h := behindIngress(t, dash.Config{Setup: setup})
	h.get("setup").expect(t, 200, "ssh-ed25519 AAAA z2mha", h.proxy.Path()+"/")
	h.post("setup/look", "host", "attic.example").expect(t, 200, "Written.")
	h.post("setup/look").expect(t, 409, "No host was named.", "data-failure")
	h.proxy.SetUser(ingresstest.User{ID: "b2", DisplayName: "Guest"})
	h.get("setup").expect(t, 200, "only administrators")
	h.post("setup/look", "host", "attic.example").expect(t, 403, "only administrators")
	setup.mu.Lock()
	defer setup.mu.Unlock()
	if want := []string{"look attic.example Owner on the page", "look  Owner on the page"}; !slices.Equal(setup.steps, want) {
		t.Errorf("got %q, want %q", setup.steps, want)
	}
}
