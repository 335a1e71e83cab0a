package node

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"z2mha/internal/dongle/port"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/service"
	"z2mha/internal/z2m"
	"z2mha/internal/z2m/yamledit"
)

// checkPort looks at the host and makes sure that Zigbee2MQTT will open the stick that
// is loaded: it goes by serial.port of its own file, while we go by the node's dongle.
// Two names of one device are equal.
func (s *staging) checkPort(ctx context.Context, want map[string]wanted) (helperapi.ProbeResult, error) {
	serial, err := serialPort(want[z2m.ConfigurationFile].content)
	if err != nil {
		return helperapi.ProbeResult{}, err
	}
	if serial, err = s.n.onHost(ctx, serial); err != nil {
		return helperapi.ProbeResult{}, err
	}
	r, err := s.n.lookWith(ctx, s.n.portProbeCall(serial))
	if err != nil {
		return r, err
	}
	why := s.n.whyAnotherPort(serial, r)
	if why == "" {
		return r, nil
	}
	kind := s.n.cfg.Service.Kind
	if (kind == service.Commands || kind == service.Docker) && isMissingDevice(serial, r) {
		s.report.Warnings = append(s.report.Warnings, fmt.Sprintf(
			"serial.port %s does not exist on the host; make sure that it is %s as Zigbee2MQTT's container sees it",
			serial, s.n.cfg.Dongle))
		return r, nil
	}
	return r, &network.RefusedError{
		What: "use " + z2m.ConfigurationFile + " of this node", Why: why,
		Remedy: "write the same stick into serial.port there and dongle in z2mha.yaml",
	}
}

// onHost is the device that a container knows as serial; serial itself when Zigbee2MQTT
// runs in no container, or docker does not tell.
func (n *Node) onHost(ctx context.Context, serial string) (string, error) {
	if n.cfg.Service.Kind != service.Docker {
		return serial, nil
	}
	told, err := n.askService(ctx)
	return cmp.Or(told.Devices[serial], serial), err
}

// serialPort is the port that Zigbee2MQTT opens. Merge has made sure that there is one.
func serialPort(configuration []byte) (string, error) {
	doc, err := yamledit.Parse(configuration)
	if err != nil {
		return "", fmt.Errorf("read the merged %s: %w", z2m.ConfigurationFile, err)
	}
	node := yamledit.Lookup(doc.Root(), "serial", "port")
	if node == nil {
		return "", fmt.Errorf("the merged %s has no serial.port", z2m.ConfigurationFile)
	}
	return node.Value, nil
}

// whyAnotherPort is "" when serial is the dongle.
func (n *Node) whyAnotherPort(serial string, r helperapi.ProbeResult) string {
	dongle := n.cfg.Dongle
	both := fmt.Sprintf("its serial.port is %s and the node's dongle is %s", serial, dongle)
	switch {
	case samePort(serial, dongle):
		return ""
	case isAddress(serial) || isAddress(dongle):
		return both + ", which is another stick"
	case isMissingDevice(serial, r):
		return both + ", but " + serial + " does not exist on the host"
	case r.TTY == nil || !r.TTY.Present:
		return both + ", but " + dongle + " does not exist on the host"
	case r.Also.Device != r.TTY.Device:
		return fmt.Sprintf("%s, which is another stick (devices %s and %s)", both, r.Also.Device, r.TTY.Device)
	}
	return ""
}

// isMissingDevice says that serial is a path at which the host has no device.
func isMissingDevice(serial string, r helperapi.ProbeResult) bool {
	return !isAddress(serial) && (r.Also == nil || !r.Also.Present)
}

func isAddress(s string) bool { return strings.Contains(s, "://") }

// samePort says that two ports read the same. Of an address, the case of letters and a
// slash at the end do not matter, and tcp and socket are one.
func samePort(a, b string) bool { return normalPort(a) == normalPort(b) }

func normalPort(s string) string {
	if !port.IsNetwork(s) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return "tcp://" + strings.ToLower(u.Host)
}
