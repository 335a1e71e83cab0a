package discovery

import (
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

var roles = []network.Role{
	network.RoleActive, network.RoleStandby, network.RoleFenced, network.RoleOffline, network.RoleUnknown,
}

func (o Options) nodeTopic(network, node, last string) string {
	return o.topic(network, level(node)+"/"+last)
}

func (o Options) node(n status.Network, node status.Node) Device {
	topic := func(last string) string { return o.nodeTopic(n.Name, node.Name, last) }
	model := "Zigbee2MQTT host"
	if node.Kind != "" {
		model += " (" + line(node.Kind, maxLabel) + ")"
	}
	d := o.device(nodeID(n.Name, node.Name), deviceInfo{
		Name: "Zigbee host " + Label(node.Name), Model: model, Version: line(node.Version, maxLabel), Via: networkID(n.Name),
	})
	m := maker{device: d, object: slug(n.Name) + "_" + slug(node.Name), state: topic("state"), status: o.Status()}
	m.host(topic)
	m.details()
	return d
}

func (m maker) host(topic func(string) string) {
	m.add("role", Component{
		Platform: "sensor", Name: "Role", DeviceClass: "enum", Options: texts(roles), Icon: "mdi:account-switch",
		AttributesTopic: topic("attributes"),
	})
	m.add("host", Component{Platform: "binary_sensor", Name: "Host", DeviceClass: "connectivity", Category: diagnostic})
	m.add("zigbee2mqtt", Component{Platform: "binary_sensor", Name: "Zigbee2MQTT", DeviceClass: "running", Category: diagnostic})
	m.add("coordinator", Component{Platform: "binary_sensor", Name: "Coordinator", DeviceClass: "connectivity", Category: diagnostic})
	m.add("out_of_sync", Component{Platform: "binary_sensor", Name: "Out of sync", DeviceClass: "problem", Category: diagnostic})
	m.add("problem", Component{Platform: "binary_sensor", Name: "Problem", DeviceClass: "problem", Category: diagnostic})
	m.add("activate", m.onlyWhen(Component{
		Platform: "button", Name: "Make active", Icon: "mdi:crown", CommandTopic: topic("cmd/" + Activate),
	}, topic("activatable")))
}

func (m maker) details() {
	m.add("version", Component{Platform: "sensor", Name: "Zigbee2MQTT version", Category: diagnostic, Icon: "mdi:tag"})
	m.add("firmware", off(Component{
		Platform: "sensor", Name: "Coordinator firmware", Category: diagnostic, Icon: "mdi:chip",
	}))
	m.add("last_seen", off(Component{
		Platform: "sensor", Name: "Last seen", DeviceClass: "timestamp", Category: diagnostic,
	}))
	m.add("latency", off(Component{
		Platform: "sensor", Name: "Probe latency", DeviceClass: "duration", StateClass: "measurement", Unit: "ms",
		Precision: places(0), Category: diagnostic,
	}))
}
