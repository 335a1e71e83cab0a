package z2msim

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"z2mha/internal/dongle/znp"
)

// startLink connects to the broker and publishes what Zigbee2MQTT publishes at a
// start, in its order: bridge/state, then info, devices and groups, then the states
// it remembers.
func (s *instance) startLink(ctx context.Context) error {
	s.link = newLink(s.config, s.o.Dial, s.command)
	if err := s.link.connect(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil // serve stops at once
	}
	s.publishInfo()
	s.publishDevices()
	s.publish("bridge/groups", true, []any{})
	for _, r := range s.db.devices() {
		if len(s.states[r.IEEE]) > 0 {
			s.publishState(r, nil)
		}
	}
	return nil
}

func (s *instance) publish(name string, retain bool, v any) {
	if err := s.link.publish(name, retain, v); err != nil {
		s.log("error", "MQTT: publish %s: %v", name, err)
	}
}

func (s *instance) publishInfo() {
	s.mu.Lock()
	info := map[string]any{
		"version": Version, "commit": "simulated",
		"coordinator": map[string]any{"ieee_address": s.address.String(), "type": "ZStack3x0", "meta": map[string]any{
			"product": s.stick.stick.Product, "revision": s.stick.stick.Revision, "transportrev": s.stick.stick.Transport,
		}},
		"network": map[string]any{
			"channel": s.network.channel, "pan_id": uint16(s.network.pan), "extended_pan_id": s.network.extPan.String(),
		},
		"permit_join": s.now().Before(s.joinEnd), "restart_required": s.restart, "log_level": "info",
		"config": s.config.public(), "config_schema": map[string]any{},
	}
	if s.now().Before(s.joinEnd) {
		info["permit_join_end"] = s.joinEnd.UnixMilli()
	}
	s.mu.Unlock()
	s.publish("bridge/info", true, info)
}

func (s *instance) publishDevices() {
	s.mu.Lock()
	devices := s.deviceList()
	s.mu.Unlock()
	s.publish("bridge/devices", true, devices)
}

// command takes a message from the broker. Unknown requests get no answer.
func (s *instance) command(topic string, payload []byte) {
	request, isRequest := strings.CutPrefix(topic, "bridge/request/")
	name, verb := cutLast(topic)
	s.work.Go(func() {
		switch {
		case isRequest:
			s.answer(request, payload)
		case verb == "set" || verb == "get":
			s.commandDevice(name, verb, payload)
		}
	})
}

func cutLast(topic string) (name, verb string) {
	i := strings.LastIndexByte(topic, '/')
	if i < 0 {
		return topic, ""
	}
	return topic[:i], topic[i+1:]
}

func (s *instance) commandDevice(name, verb string, payload []byte) {
	r := s.named(name)
	if r == nil {
		return
	}
	turn, _ := s.queues.LoadOrStore(r.IEEE, make(chan struct{}, 1)) // no mutex: a bubble's time would stand still
	turn.(chan struct{}) <- struct{}{}
	defer func() { <-turn.(chan struct{}) }()
	err := s.get
	if verb == "set" {
		err = func(r *record) error { return s.set(r, payload) }
	}
	if err := err(r); err != nil {
		s.log("error", "Publish '%s' to '%s' failed: %s", verb, name, told(err))
	}
}

// A handler carries out one bridge request and returns the data of its answer.
type handler func(s *instance, ctx context.Context, payload []byte) (any, error)

var handlers = map[string]handler{
	"options":           (*instance).changeOptions,
	"permit_join":       (*instance).permitJoin,
	"health_check":      func(*instance, context.Context, []byte) (any, error) { return map[string]any{"healthy": true}, nil },
	"coordinator_check": (*instance).coordinatorCheck,
	"backup":            (*instance).backup,
	"action":            (*instance).action,
}

const requestTime = 30 * time.Second

func (s *instance) answer(request string, payload []byte) {
	handle, ok := handlers[request]
	if !ok {
		return
	}
	var asked struct {
		Transaction any `json:"transaction"`
	}
	_ = json.Unmarshal(payload, &asked) // a plain value has no transaction
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	data, err := handle(s, ctx, payload)
	out := map[string]any{"data": data, "status": "ok"}
	if err != nil {
		out = map[string]any{"data": map[string]any{}, "status": "error", "error": told(err)}
	}
	if asked.Transaction != nil {
		out["transaction"] = asked.Transaction
	}
	s.publish("bridge/response/"+request, false, out)
}

// told is an error in Zigbee2MQTT's words: that a stick did not answer in time is said so.
func told(err error) string {
	if errors.Is(err, znp.ErrTimeout) {
		return fmt.Sprintf("SRSP - %v after %dms", err, znp.DefaultTimeout.Milliseconds())
	}
	return err.Error()
}

// action passes a raw request on. Only that of a stick for its own endpoints is known here.
func (s *instance) action(ctx context.Context, payload []byte) (any, error) {
	var asked struct {
		Action string
		Params struct {
			IEEE    string `json:"ieee_address"`
			Nwk     *int   `json:"network_address"`
			Profile *int   `json:"profile_id"`
			Cluster int    `json:"cluster_key"`
			Params  []int  `json:"zdo_params"`
		}
	}
	if err := json.Unmarshal(payload, &asked); err != nil || asked.Action != "raw" {
		return nil, errors.New("invalid action")
	}
	p := asked.Params
	if p.IEEE == "" || p.Profile == nil || *p.Profile != 0 || p.Nwk == nil || *p.Nwk != 0 || p.Cluster != activeEndpointsRequest || len(p.Params) != 1 {
		return nil, errors.New("not simulated")
	}
	endpoints, err := s.stick.endpoints(ctx)
	return []any{0, map[string]any{"nwkAddress": 0, "endpointList": endpoints}}, err
}

const activeEndpointsRequest = 5

// changeOptions merges options into configuration.yaml, which is rewritten only
// when that changes something, and publishes bridge/info in any case.
func (s *instance) changeOptions(_ context.Context, payload []byte) (any, error) {
	var asked struct {
		Options map[string]any `json:"options"`
	}
	if err := json.Unmarshal(payload, &asked); err != nil || asked.Options == nil {
		return nil, errors.New("invalid payload")
	}
	s.mu.Lock()
	s.config.apply(asked.Options)
	err := s.config.save()
	s.restart = s.restart || len(asked.Options) > 0
	restart := s.restart
	s.mu.Unlock()
	s.publishInfo()
	return map[string]any{"restart_required": restart}, err
}

func (s *instance) permitJoin(ctx context.Context, payload []byte) (any, error) {
	var asked struct {
		Time int `json:"time"`
	}
	if err := json.Unmarshal(payload, &asked); err != nil || asked.Time < 0 || asked.Time > 254 {
		return nil, errors.New("invalid payload")
	}
	if err := s.stick.permitJoin(ctx, byte(asked.Time)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.joinEnd = s.now().Add(time.Duration(asked.Time) * time.Second)
	s.mu.Unlock()
	s.publishInfo()
	return map[string]any{"time": asked.Time}, nil
}

// coordinatorCheck reads the stick's tables; no router is ever missing here.
func (s *instance) coordinatorCheck(ctx context.Context, _ []byte) (any, error) {
	if _, err := s.stick.memory(ctx); err != nil {
		return nil, err
	}
	return map[string]any{"missing_routers": []any{}}, nil
}

// backup saves the database and a live backup, then packs the data directory.
func (s *instance) backup(ctx context.Context, _ []byte) (any, error) {
	s.mu.Lock()
	err := s.db.save()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := s.stick.saveBackup(ctx, s.backupPath(), s.now()); err != nil {
		return nil, err
	}
	packed, err := pack(s.dir)
	return map[string]any{"zip": packed}, err
}

// pack zips the whole data directory but log and ota.
func pack(dir string) (string, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator)))
		switch {
		case err != nil:
			return err
		case e.IsDir() && (name == "log" || name == "ota"):
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		_, err = w.Write(raw)
		return err
	})
	if err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}
