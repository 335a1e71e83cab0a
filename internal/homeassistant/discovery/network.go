package discovery

import (
	"slices"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/status"
)

// notAssessed is shown as the condition while nobody decides.
const notAssessed = "not assessed"

// noNode is shown as the active node when there is none.
const noNode = "none"

// Commands of a network, the last level of their topics. A node knows Activate.
const (
	Switchover   = "switchover"
	Sync         = "sync"
	Hold         = "hold"
	AutoFailover = "auto_failover"
	ActiveNode   = "active_node"
	Activate     = "activate"
)

func (o Options) topic(network, last string) string {
	return o.base() + "/" + level(network) + "/" + last
}

func (o Options) network(n status.Network) Device {
	topic := func(last string) string { return o.topic(n.Name, last) }
	d := o.device(networkID(n.Name), deviceInfo{
		Name: "Zigbee network " + Label(n.Name), Model: "Redundant Zigbee network", Version: o.Version,
	})
	m := maker{device: d, object: slug(n.Name), state: topic("state"), status: o.Status()}
	m.protection(topic, labels(n.Nodes))
	m.history(topic)
	m.controls(topic, labels(n.Nodes))
	return d
}

// protection is what is looked at every day.
func (m maker) protection(topic func(string) string, nodes []string) {
	m.add("protection", Component{
		Platform: "sensor", Name: "Protection", DeviceClass: "enum", Options: texts(status.Protections),
		Icon: "mdi:shield-sync", AttributesTopic: topic("attributes"),
	})
	m.add("active_node", Component{
		Platform: "sensor", Name: "Active node", DeviceClass: "enum", Options: append(slices.Clone(nodes), noNode),
		Icon: "mdi:server-network",
	})
	m.add("problem", Component{Platform: "binary_sensor", Name: "Problem", DeviceClass: "problem"})
	m.add("standby_ready", Component{Platform: "binary_sensor", Name: "Stand-by ready", Icon: "mdi:server-security"})
	m.add("condition", Component{
		Platform: "sensor", Name: "Condition", DeviceClass: "enum", Options: append(texts(health.Kinds()), notAssessed),
		Icon: "mdi:heart-pulse", AttributesTopic: topic("condition_attributes"),
	})
	m.add("decision", Component{
		Platform: "sensor", Name: "Last decision", DeviceClass: "enum", Options: texts(decide.Actions),
		Category: diagnostic, Icon: "mdi:scale-balance", AttributesTopic: topic("decision_attributes"),
	})
	m.add("question", Component{
		Platform: "binary_sensor", Name: "Question", DeviceClass: "problem", Category: diagnostic,
	})
	m.add("switching", Component{
		Platform: "binary_sensor", Name: "Switchover in progress", DeviceClass: "running", Category: diagnostic,
	})
	m.add("events", Component{
		Platform: "event", Name: "Events", EventTypes: texts(status.EventTypes), Icon: "mdi:bell-ring",
		StateTopic: topic("event"),
	})
}

func (m maker) history(topic func(string) string) {
	m.add("last_sync", Component{
		Platform: "sensor", Name: "Last sync", DeviceClass: "timestamp", Category: diagnostic, Icon: "mdi:sync",
	})
	m.add("sync_age", Component{
		Platform: "sensor", Name: "Sync age", DeviceClass: "duration", StateClass: "measurement", Unit: "s",
		Precision: places(0), Category: diagnostic, Icon: "mdi:timer-sync",
	})
	m.add("last_switchover", Component{
		Platform: "sensor", Name: "Last switchover", DeviceClass: "timestamp", Category: diagnostic,
		Icon: "mdi:swap-horizontal-bold", AttributesTopic: topic("last_switchover_attributes"),
	})
	m.add("last_switchover_reason", Component{
		Platform: "sensor", Name: "Last switchover reason", DeviceClass: "enum", Options: texts(status.Causes),
		Category: diagnostic, Icon: "mdi:help-network",
	})
	m.add("last_switchover_duration", off(Component{
		Platform: "sensor", Name: "Last switchover duration", DeviceClass: "duration", Unit: "s", Precision: places(1),
		Category: diagnostic,
	}))
	m.add("switchovers", Component{
		Platform: "sensor", Name: "Switchovers", StateClass: "total_increasing", Category: diagnostic, Icon: "mdi:counter",
	})
	m.add("devices", Component{
		Platform: "sensor", Name: "Zigbee devices", StateClass: "measurement", Category: diagnostic, Icon: "mdi:zigbee",
	})
}

func (m maker) controls(topic func(string) string, nodes []string) {
	m.add("switchover", m.onlyWhen(Component{
		Platform: "button", Name: "Switch over", Icon: "mdi:swap-horizontal-bold", CommandTopic: topic("cmd/" + Switchover),
	}, topic("switchover_available")))
	m.add("sync_now", Component{
		Platform: "button", Name: "Sync now", Icon: "mdi:sync", Category: setting, CommandTopic: topic("cmd/" + Sync),
	})
	m.add("active_node_select", Component{
		Platform: "select", Name: "Move to", Icon: "mdi:swap-horizontal", Options: nodes, CommandTopic: topic("cmd/" + ActiveNode),
	})
	m.add("auto_failover", m.onlyWhen(Component{
		Platform: "switch", Name: "Automatic failover", Icon: "mdi:shield-refresh", Category: setting,
		CommandTopic: topic("cmd/" + AutoFailover), AttributesTopic: topic("auto_failover_attributes"),
	}, topic("auto_failover_available")))
	m.add("hold", Component{
		Platform: "switch", Name: "Hold automatic actions", Icon: "mdi:wrench-clock", Category: setting,
		CommandTopic: topic("cmd/" + Hold),
	})
}

func texts[T ~string](list []T) []string {
	out := make([]string, 0, len(list))
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}
