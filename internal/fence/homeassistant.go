package fence

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"z2mha/internal/homeassistant/supervisor"
)

// Core is Home Assistant; *supervisor.Client is one.
type Core interface {
	Entity(ctx context.Context, id string) (supervisor.Entity, error)
	Act(ctx context.Context, action, entity string) error
}

// HomeAssistant is a device that Home Assistant switches: a smart plug, a port that powers
// a host.
type HomeAssistant struct {
	Core   Core
	Entity string // "switch.attic_plug"
	Action string // "switch.turn_off"; "" means turn_off of the entity's domain
	// Power is a sensor that must have said, since the switching, less than Below watts; ""
	// for none. Home Assistant must know then itself whether the entity is off.
	Power string
	Below float64

	mu    sync.Mutex
	since time.Time // of the last Off; guarded by mu
}

func (h *HomeAssistant) String() string { return h.Entity + " of Home Assistant" }

// Off calls the action.
func (h *HomeAssistant) Off(ctx context.Context) error {
	h.mu.Lock()
	h.since = time.Now()
	h.mu.Unlock()
	action := h.Action
	if action == "" {
		domain, _, _ := strings.Cut(h.Entity, ".")
		action = domain + ".turn_off"
	}
	return h.Core.Act(ctx, action, h.Entity)
}

// State reads the entity's state back, and the power.
func (h *HomeAssistant) State(ctx context.Context) (bool, string, error) {
	e, err := h.entity(ctx)
	if err != nil {
		return false, "", err
	}
	says := fmt.Sprintf("%s is %s", h.Entity, e.State)
	if e.State != "off" || h.Power == "" {
		return e.State == "off", says, nil
	}
	h.mu.Lock()
	since := h.since
	h.mu.Unlock()
	watts, told, err := h.watts(ctx)
	switch {
	case err != nil:
		return false, "", err
	case !told.After(since):
		return false, "", fmt.Errorf("%s, and %s has said nothing since", says, h.Power)
	}
	return watts < h.Below, fmt.Sprintf("%s, and %s says %g W", says, h.Power, watts), nil
}

// Check asks the entity, and the sensor, how they are.
func (h *HomeAssistant) Check(ctx context.Context) error {
	if _, err := h.entity(ctx); err != nil || h.Power == "" {
		return err
	}
	_, _, err := h.watts(ctx)
	return err
}

// entity refuses a state that says nothing of the thing itself.
func (h *HomeAssistant) entity(ctx context.Context) (supervisor.Entity, error) {
	e, err := h.Core.Entity(ctx, h.Entity)
	switch {
	case isUnknown(err):
		return e, fmt.Errorf("there is no %s in Home Assistant", h.Entity)
	case err != nil:
		return e, err
	case e.State == "unavailable" || e.State == "unknown":
		return e, fmt.Errorf("%s is %s", h.Entity, e.State)
	case e.Attributes.AssumedState && h.Power == "":
		return e, fmt.Errorf("nobody tells Home Assistant whether %s is off: it assumes so; name a power sensor", h.Entity)
	}
	return e, nil
}

func (h *HomeAssistant) watts(ctx context.Context) (float64, time.Time, error) {
	e, err := h.Core.Entity(ctx, h.Power)
	if isUnknown(err) {
		err = fmt.Errorf("there is no %s in Home Assistant", h.Power)
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	w, err := strconv.ParseFloat(e.State, 64)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("%s is %s, which is no number", h.Power, e.State)
	}
	switch e.Attributes.Unit {
	case "W":
	case "kW":
		w *= 1000
	default:
		return 0, time.Time{}, fmt.Errorf("%s is in %q and not in watts", h.Power, e.Attributes.Unit)
	}
	return w, e.Told(), nil
}

func isUnknown(err error) bool {
	e, ok := errors.AsType[*supervisor.APIError](err)
	return ok && e.Status == 404
}
