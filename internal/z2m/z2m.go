// Package z2m knows Zigbee2MQTT from the outside: the files of its data directory
// and its MQTT topics and payloads. It reads bytes and returns values; it opens
// no file and no connection.
//
// What it relies on was seen on Zigbee2MQTT 2.14: configuration.yaml is read at
// start only, unknown keys survive, and only five keys may refer to a secret file.
package z2m

// Files returns the content of one file of a data directory, by its
// slash-separated path relative to that directory. A file that does not exist
// gives an error that is fs.ErrNotExist.
type Files func(path string) ([]byte, error)

// Names of the files that Zigbee2MQTT cannot start without, and of its states.
const (
	ConfigurationFile = "configuration.yaml"
	DatabaseFile      = "database.db"
	BackupFile        = "coordinator_backup.json"
	StateFile         = "state.json"
)
