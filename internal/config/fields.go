package config

// The parsers of single values are for forms that ask for what the file would hold.
// Their errors say what is wrong and what to write instead.

// ParseName reads the name of a network or a node.
func ParseName(s string) (string, error) { return parseName(s) }

// ParseHost reads NAME, NAME:PORT, [IPv6] or [IPv6]:PORT.
func ParseHost(s string) (Host, error) { return parseHost(s) }

// ParseUser reads a login.
func ParseUser(s string) (string, error) { return parseWord(s) }

// ParseBecome reads how commands on a host get root's rights.
func ParseBecome(s string) (Become, error) {
	return oneOf(BecomeNone, BecomeSudo, BecomeDoas)(s)
}

// ParseDongle reads a device file or tcp://HOST:PORT.
func ParseDongle(s string) (Dongle, error) { return parseDongle(s) }

// ParsePath reads an absolute path.
func ParsePath(s string) (string, error) { return parsePath(s) }

// ParseBaseTopic reads mqtt.base_topic of Zigbee2MQTT.
func ParseBaseTopic(s string) (string, error) { return parseTopic(s) }
