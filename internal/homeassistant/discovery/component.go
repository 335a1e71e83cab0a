package discovery

import "strings"

// A Component is one entity.
type Component struct {
	Platform         string         `json:"platform"`
	Name             string         `json:"name"`
	UniqueID         string         `json:"unique_id"`
	EntityID         string         `json:"default_entity_id"`
	DeviceClass      string         `json:"device_class,omitempty"`
	StateClass       string         `json:"state_class,omitempty"`
	Unit             string         `json:"unit_of_measurement,omitempty"`
	Precision        *int           `json:"suggested_display_precision,omitempty"`
	Options          []string       `json:"options,omitempty"`
	EventTypes       []string       `json:"event_types,omitempty"`
	Category         string         `json:"entity_category,omitempty"`
	Enabled          *bool          `json:"enabled_by_default,omitempty"`
	Icon             string         `json:"icon,omitempty"`
	StateTopic       string         `json:"state_topic,omitempty"`
	ValueTemplate    string         `json:"value_template,omitempty"`
	CommandTopic     string         `json:"command_topic,omitempty"`
	AttributesTopic  string         `json:"json_attributes_topic,omitempty"`
	Availability     []availability `json:"availability,omitempty"`
	AvailabilityMode string         `json:"availability_mode,omitempty"`
}

// Categories of entities; those that people look at every day have none.
const (
	diagnostic = "diagnostic"
	setting    = "config"
)

// A maker adds entities to a device. State is the topic of the document that their
// values stand in, each under its own key.
type maker struct {
	device Device
	object string // middle of the entity ids
	state  string
	status string // topic that says whether we are there
}

func (m maker) add(key string, c Component) {
	c.UniqueID = m.device.ID + "_" + key
	c.EntityID = strings.Join([]string{c.Platform + ".z2mha", m.object, key}, "_")
	if c.Platform != "button" && c.Platform != "event" {
		c.StateTopic = m.state
		c.ValueTemplate = "{{ value_json." + key + " }}"
	}
	m.device.Components[key] = c
}

// onlyWhen is the availability of an entity that is not always allowed.
func (m maker) onlyWhen(c Component, topic string) Component {
	c.Availability = []availability{{m.status}, {topic}}
	c.AvailabilityMode = "all"
	return c
}

// off leaves an entity disabled until somebody wants it.
func off(c Component) Component {
	no := false
	c.Enabled = &no
	return c
}

func places(n int) *int { return &n }
