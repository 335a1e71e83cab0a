package setup

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"z2mha/internal/config"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/internal/z2m/yamledit"
)

// A sight is what was found on a host. Its texts are what the host said, cleaned.
type sight struct {
	target
	keys     []string // fingerprints of the host, SHA256:…
	machine  string   // as uname -m says
	system   string
	services []service.Found
	trouble  string // why not every service manager could be asked
	data     []directory
	sticks   []stick
}

// A directory may be Zigbee2MQTT's data directory.
type directory struct {
	path       string
	configured bool      // there is a configuration.yaml
	unreadable string    // why that could not be read
	devices    int       // in database.db
	changed    time.Time // database.db; zero when there is none
	version    string    // of the Zigbee2MQTT above it
	settings
}

// settings are the values of configuration.yaml that help to choose. No other value of
// it is kept.
type settings struct {
	port, adapter, baseTopic string
	server                   string // without user and password
}

// A stick is a serial device of the host, or a coordinator in the network.
type stick struct {
	path, real           string
	vendor, product      string // USB ids, four hexadecimal digits
	manufacturer, name   string
	serial               string
	users                []string
	stable, fromSettings bool // named after itself; named by a configuration.yaml
}

// places are where Zigbee2MQTT's data often is, as patterns of the shell.
var places = []string{"/opt/zigbee2mqtt/data", "/var/lib/zigbee2mqtt", "/app/data", "/root/zigbee2mqtt/data", "/home/*/zigbee2mqtt/data",
	"/opt/docker/zigbee2mqtt", "/docker/zigbee2mqtt/data"}

// mostListed bounds every list that a host gives.
const mostListed = 24

// systemScript tells of the system, the sticks and who has them open. It reads only.
const systemScript = `uname -m | sed 's/^/machine\t/'
sed -n 's/^PRETTY_NAME=/system\t/p' "$R/etc/os-release" | head -n 1
for l in "$R"/dev/serial/by-id/* "$R"/dev/ttyUSB* "$R"/dev/ttyACM*; do
[ -e "$l" ] || continue
d=$(readlink -f "$l"); s=$(readlink -f "$R/sys/class/tty/${d##*/}/device")
while [ "${s#/}" != "$s" ] && [ ! -f "$s/idVendor" ]; do s=${s%/*}; done
printf 'stick\t%s\t%s' "${l#"$R"}" "${d#"$R"}"
for f in idVendor idProduct manufacturer product serial; do printf '\t'; [ -z "$s" ] || head -c 200 "$s/$f" 2>/dev/null | tr -d '\t\n'; done
echo
done
o=$(ls -l "$R"/proc/[0-9]*/fd 2>/dev/null | awk '/^[^ ]*:$/ {n=split($0,a,"/"); p=a[n-1]} / -> .*\/dev\/tty[A-Z]/ {print "open\t" p "\t" $NF}' | head -n 50)
echo "$o"
for p in $(echo "$o" | cut -f 2 | sort -u); do printf 'process\t%s\t' "$p"; head -c 100 "$R/proc/$p/comm"; echo; done
`

// dataScript tells of the directories that are its arguments. It reads only.
const dataScript = `for d in "$@"; do
[ -d "$d" ] || continue
printf 'data\t%s\t' "${d#"$R"}"; [ ! -f "$d/configuration.yaml" ] || printf yes
printf '\t%s\t%s' "$(grep -c '^{"id":[0-9]*,"type":"[ER]' "$d/database.db" 2>/dev/null)" "$(stat -c %Y "$d/database.db" 2>/dev/null)"
printf '\t%s\n' "$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "${d%/*}/package.json" 2>/dev/null | head -n 1)"
done
`

// reading is the command that tells of the system and of the directories that services
// are known to use, and of the usual places. root is before every path.
func reading(root string, known []string) remote.Command {
	shell := "R=" + remote.Quote(root) + "\n" + systemScript + "set --"
	for _, dir := range known {
		shell += " " + remote.Quote(root+dir)
	}
	for _, pattern := range places {
		shell += ` "$R"` + pattern
	}
	return remote.Command{Shell: shell + "\n" + dataScript + "true", Become: true}
}

// parseReading takes what is understood of the answer and passes over the rest.
func (s *sight) parseReading(text []byte) {
	users, names := map[string][]string{}, map[string]string{}
	for raw := range bytes.Lines(text) {
		f := strings.Split(strings.TrimRight(string(raw), "\n"), "\t")
		for i := range f {
			f[i] = clean(f[i])
		}
		switch {
		case f[0] == "machine" && len(f) == 2:
			s.machine = f[1]
		case f[0] == "system" && len(f) == 2:
			s.system = strings.Trim(f[1], `"'`)
		case f[0] == "stick" && len(f) == 8:
			s.addStick(stick{path: f[1], real: f[2], vendor: f[3], product: f[4], manufacturer: f[5], name: f[6], serial: f[7],
				stable: strings.HasPrefix(f[1], "/dev/serial/")})
		case f[0] == "open" && len(f) == 3:
			users[f[2]] = append(users[f[2]], f[1])
		case f[0] == "process" && len(f) == 3:
			names[f[1]] = f[2]
		case f[0] == "data" && len(f) == 6:
			s.addDirectory(f)
		}
	}
	for i, one := range s.sticks {
		for file, pids := range users {
			if file == one.real || strings.HasSuffix(file, one.real) {
				s.sticks[i].users = usersOf(pids, names)
			}
		}
	}
}

func usersOf(pids []string, names map[string]string) []string {
	var all []string
	for _, pid := range slices.Compact(pids) {
		all = append(all, cmp.Or(names[pid], "a program")+" (process "+pid+")")
	}
	return all
}

// addStick leaves out a device that was told under another name, and one whose name
// could not be written into z2mha.yaml.
func (s *sight) addStick(one stick) {
	_, err := config.ParseDongle(one.path)
	known := slices.ContainsFunc(s.sticks, func(k stick) bool { return k.real == one.real })
	if err == nil && !known && !strings.HasSuffix(one.path, "…") && len(s.sticks) < mostListed {
		s.sticks = append(s.sticks, one)
	}
}

func (s *sight) addDirectory(f []string) {
	dir := directory{path: f[1], configured: f[2] == "yes", version: f[5]}
	dir.devices, _ = strconv.Atoi(f[3])
	if seconds, err := strconv.ParseInt(f[4], 10, 64); err == nil {
		dir.changed = time.Unix(seconds, 0).UTC()
	}
	_, err := config.ParsePath(dir.path)
	known := slices.ContainsFunc(s.data, func(k directory) bool { return k.path == dir.path })
	if err == nil && !known && !strings.HasSuffix(dir.path, "…") && dir.path == path.Clean(dir.path) && len(s.data) < mostListed {
		s.data = append(s.data, dir)
	}
}

// readSettings takes four values out of a configuration.yaml.
func readSettings(raw []byte) (settings, error) {
	doc, err := yamledit.Parse(raw)
	if err != nil {
		return settings{}, err
	}
	at := func(keys ...string) string {
		n := yamledit.Lookup(doc.Root(), keys...)
		if n == nil || len(n.Content) > 0 || strings.HasPrefix(n.Value, "!") {
			return ""
		}
		return clean(n.Value)
	}
	return settings{port: at("serial", "port"), adapter: at("serial", "adapter"), baseTopic: at("mqtt", "base_topic"),
		server: bareServer(at("mqtt", "server"))}, nil
}

// bareServer is a broker's address without user and password, "" when it is not one
// that we speak.
func bareServer(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ""
	}
	server, err := config.ParseServer(scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:])
	if err != nil {
		return ""
	}
	return server.String()
}
