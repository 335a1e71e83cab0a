package deptest

// ProjectRules is the map of this project.
var ProjectRules = Rules{
	Pure: []string{
		"internal/dongle/zigbee",
		"internal/dongle/unpi",
		"internal/dongle/nvimage",
		"internal/dongle/netbackup",
		"internal/failover/broken",
		"internal/failover/cadence",
		"internal/failover/decide",
		"internal/failover/generation",
		"internal/failover/health",
		"internal/failover/network",
		"internal/failover/odometer",
		"internal/failover/plan",
		"internal/failover/readiness",
		"internal/failover/status",
		"internal/homeassistant/discovery",
		"internal/host/helperapi",
		"internal/z2m",
		"internal/z2m/yamledit",
	},
	Impure: []string{
		"net", "net/http", "os", "os/...", "syscall",
		"golang.org/x/...", "github.com/...",
	},

	Allowed: map[string][]string{
		// The controller's mind declares what it needs and knows no adapter.
		"internal/failover/engine/...": core,
		"internal/failover/status/...": core,
		"internal/failover/desk/...":   core,
		// Pages are filled by others.
		"web/...": {"web/..."},
		// The configuration is what a person wrote, not what is done with it; the words and
		// defaults of a policy have one place.
		"internal/config": {"internal/failover/decide", "internal/failover/rehearsal"},
		// Pure, but for the reader of cron expressions, which is pure itself.
		"internal/failover/rehearsal": {},
	},

	// The helper runs on a stranger's host.
	Reach: map[string][]string{
		"cmd/znp-helper": {
			"internal/dongle/zigbee", "internal/dongle/unpi", "internal/dongle/nvimage",
			"internal/dongle/port", "internal/dongle/znp", "internal/dongle/nvram",
			"internal/host/helper", "internal/host/helperapi",
			"internal/host/ending", "internal/host/probe", "internal/host/datadir", "internal/host/runrecord",
			"internal/storage/durable",
		},
	},

	Core: core,
	BuiltOver: map[string][]string{
		"internal/dongle/nvram":   {"internal/dongle/znp"},
		"internal/dongle/znpsim":  {"internal/dongle/port"}, // a pseudo-terminal is opened like a stick
		"internal/host/helper":    {"internal/storage/durable", "internal/dongle/...", "internal/host/helperapi", "internal/host/ending", "internal/host/probe", "internal/host/datadir", "internal/host/runrecord"},
		"internal/host/datadir":   {"internal/storage/durable"},
		"internal/host/ending":    {"internal/host/probe"},
		"internal/host/probe":     {"internal/dongle/port"},
		"internal/host/runrecord": {"internal/storage/durable"},
		"internal/host/node": {
			"internal/host/remote", "internal/host/service", "internal/host/helperbin",
			"internal/dongle/port", "internal/dongle/znp", "internal/dongle/nvram", // a coordinator in the network is spoken to from here
		},
		"internal/host/service":           {"internal/host/remote"},
		"internal/storage/decisions":      {"internal/storage/durable"},
		"internal/storage/events":         {"internal/storage/durable"},
		"internal/storage/holds":          {"internal/storage/durable"},
		"internal/storage/notes":          {"internal/storage/durable"},
		"internal/backup":                 {"internal/storage/durable"},
		"internal/storage/journal":        {"internal/storage/durable"},
		"internal/storage/memory":         {"internal/storage/durable"},
		"internal/storage/shelf":          {"internal/storage/durable"},
		"internal/z2m/bridge":             {"internal/bus"},
		"internal/homeassistant/entities": {"internal/bus", "internal/homeassistant/discovery"},
		"internal/fence":                  {"internal/bus", "internal/homeassistant/supervisor"}, // what it cuts by
		"internal/dash":                   {"web/..."},
		"internal/setup":                  {"web", "internal/config", "internal/host/remote", "internal/host/service", "internal/storage/durable"},
	},

	Top:        []string{"cmd/...", "internal/world/...", "e2e/...", "scripts/..."},
	MaxImports: 5,
	Wide: map[string]string{
		"internal/failover/engine": "runs plans on nodes: it speaks every word of failover, and no other",
		"internal/failover/status": "what is shown of a network has all of its words",
		"internal/failover/desk":   "what is asked of a network and what is shown of it pass over it",
		"internal/console":         "a person at a terminal is shown whatever there is",
		"internal/dash":            "the page shows everything that is known of a network",
		"internal/setup":           "between a form, a host and z2mha.yaml, in one conversation",
		"internal/host/node":       "one Zigbee2MQTT host is SSH, service, helper and files together",
		"internal/host/helper":     "one verb for each thing that is done beside the stick or the disk",
		"cmd/znp-helper":           "wiring",
	},
}

// core is what everyone may import: the words of the project and its pure parts.
var core = []string{
	"internal/dongle/zigbee",
	"internal/dongle/unpi",
	"internal/dongle/nvimage",
	"internal/dongle/netbackup",
	"internal/failover/...",
	"internal/host/helperapi",
	"internal/z2m",
	"internal/z2m/yamledit",
}
