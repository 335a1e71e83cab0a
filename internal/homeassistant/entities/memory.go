package entities

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"z2mha/internal/homeassistant/discovery"
)

// A memory is what the broker may hold of us.
type memory struct {
	// Devices are the device messages by topic, with the platform of each component.
	Devices map[string]map[string]string `json:"devices"`
	Topics  []string                     `json:"topics"` // the rest, sorted
}

func publishedBy(devices []discovery.Device, documents []discovery.Message) memory {
	m := memory{Devices: map[string]map[string]string{}}
	for _, d := range devices {
		m.Devices[d.Topic] = d.Platforms()
	}
	for _, doc := range documents {
		m.Topics = append(m.Topics, doc.Topic)
	}
	slices.Sort(m.Topics)
	return m
}

// with is m and other. Of a component that is in both, the platform in m stays: it
// must be taken back before it can be another.
func (m memory) with(other memory) memory {
	out := memory{Devices: map[string]map[string]string{}}
	for _, from := range []memory{other, m} {
		for topic, components := range from.Devices {
			if out.Devices[topic] == nil {
				out.Devices[topic] = map[string]string{}
			}
			maps.Copy(out.Devices[topic], components)
		}
		out.Topics = append(out.Topics, from.Topics...)
	}
	slices.Sort(out.Topics)
	out.Topics = slices.Compact(out.Topics)
	return out
}

// gone is which components of d, with which platform, d does not have any more.
func (m memory) gone(d discovery.Device) map[string]string {
	out := maps.Clone(m.Devices[d.Topic])
	maps.DeleteFunc(out, func(key, platform string) bool { return d.Components[key].Platform == platform })
	return out
}

func (m memory) equal(other memory) bool { return reflect.DeepEqual(m, other) }

func loadMemory(shelf Shelf) (memory, error) {
	empty := memory{Devices: map[string]map[string]string{}}
	data, err := shelf.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0:
		return empty, nil
	case err != nil:
		return empty, fmt.Errorf("read what was published: %w", err)
	}
	var m memory
	if err := json.Unmarshal(data, &m); err != nil {
		return empty, fmt.Errorf("read what was published: %w", err)
	}
	m.clean()
	return m, nil
}

// clean drops what a damaged file might hold: a broker ends the connection of
// somebody who publishes on such a topic.
func (m *memory) clean() {
	bad := func(topic string) bool { return topic == "" || strings.ContainsAny(topic, "+#\x00") }
	maps.DeleteFunc(m.Devices, func(topic string, _ map[string]string) bool { return bad(topic) })
	m.Topics = slices.DeleteFunc(m.Topics, bad)
}

func (m memory) save(shelf Shelf) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return shelf.Save(append(data, '\n'))
}
