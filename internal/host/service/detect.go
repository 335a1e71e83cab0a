package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

// A Found is a service that looks like Zigbee2MQTT.
type Found struct {
	Kind    Kind
	Unit    string // systemd unit, OpenRC service or docker container
	State   network.ServiceState
	Enabled string // Yes, No, Masked, or "" when that is not known
	Restart string // as in Report
	// Watchdog is Z2M_WATCHDOG of its environment, as far as that can be read.
	Watchdog string
	Data     string   // data directory on the host, a guess; "" when there is none
	Image    string   // of a container
	Devices  []string // of a container, by the host's names
	Program  string   // folder that it runs in, "" when that is not told
}

// Detect looks for the service managers of a host and for services that look like
// Zigbee2MQTT, by name, by what they run, or by image. It runs reading commands only, as
// root where that takes root's rights. It returns the managers that there are, in the
// order of the constants.
//
// What is found is in the order of managers and names, at most 50 each. Errors are those
// of run, and *network.RefusedError when docker is there and cannot be asked; what was
// found besides comes with it.
func Detect(ctx context.Context, run func(context.Context, remote.Command) (remote.Output, error)) ([]Kind, []Found, error) {
	out, err := run(ctx, remote.Command{Shell: managersLine})
	if err != nil {
		return nil, nil, fmt.Errorf("look for service managers: %w", err)
	}
	managers := parseManagers(out.Stdout)
	var all []Found
	var problems []error
	for _, kind := range managers {
		found, err := detectors[kind](ctx, run)
		all = append(all, found...)
		if err != nil {
			problems = append(problems, fmt.Errorf("look for Zigbee2MQTT under %s: %w", kind, err))
		}
	}
	return managers, all, errors.Join(problems...)
}

type runner = func(context.Context, remote.Command) (remote.Output, error)

var detectors = map[Kind]func(context.Context, runner) ([]Found, error){
	Systemd: detectSystemd, OpenRC: detectOpenRC, Docker: detectDocker,
}

// sbin is where servers' commands are, which is not in everybody's PATH.
const sbin = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; "

// managersLine names the managers that are in charge: systemctl may lie on a host that
// was started by another init, and rc-service on one that was started by systemd.
const managersLine = sbin + `[ -d /run/systemd/system ] && echo systemd; ` +
	`[ -d /run/openrc ] && command -v rc-service >/dev/null && echo openrc; ` +
	`command -v docker >/dev/null && echo docker; true`

func parseManagers(text []byte) []Kind {
	said := strings.Fields(string(text))
	var all []Kind
	for _, kind := range []Kind{Systemd, OpenRC, Docker} {
		if slices.Contains(said, string(kind)) {
			all = append(all, kind)
		}
	}
	return all
}

// mostFound bounds what one manager may name.
const mostFound = 50

// names picks the words that can be names of services, each once, in order. Anything else
// that a host may say is passed over, above all what a command would take for an option.
func names(text []byte, valid *regexp.Regexp) []string {
	var all []string
	for _, word := range strings.Fields(string(text)) {
		if valid.MatchString(word) && !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return all[:min(len(all), mostFound)]
}

// looksLike says that a name or an image is Zigbee2MQTT's.
func looksLike(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "zigbee2mqtt") || strings.Contains(s, "z2m")
}

var unitName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,200}\.service$`)

// systemdNames lists units by name, and those whose file speaks of Zigbee2MQTT. Running
// instances of a template are told by list-units only.
const systemdNames = `{ systemctl list-unit-files --type=service --plain --no-legend --no-pager '*zigbee2mqtt*' '*z2m*'; ` +
	`systemctl list-units --all --type=service --plain --no-legend --no-pager '*zigbee2mqtt*' '*z2m*'; } 2>/dev/null | cut -d ' ' -f 1; ` +
	`for f in $(grep -lsi zigbee2mqtt /etc/systemd/system/*.service /usr/lib/systemd/system/*.service /lib/systemd/system/*.service); do echo "${f##*/}"; done; true`

// detectSystemd leaves templates out, which are no units, and our own service.
func detectSystemd(ctx context.Context, run runner) ([]Found, error) {
	out, err := run(ctx, remote.Command{Shell: systemdNames})
	if err != nil {
		return nil, err
	}
	units := slices.DeleteFunc(names(out.Stdout, unitName), func(n string) bool {
		return strings.Contains(n, "@.") || strings.HasPrefix(n, "z2mha")
	})
	if len(units) == 0 {
		return nil, nil
	}
	const properties = "Id,LoadState,ActiveState,UnitFileState,Restart,WorkingDirectory,ExecStart,Environment"
	const sift = `'/^Environment=/{s/^Environment=//;s/ /\n/g;};s/^ExecStart=.* \(\/[^ ]*\/index\.js\).*/ExecStart=\1/;/^ExecStart={/d'`
	const keep = `'^(Id|LoadState|ActiveState|UnitFileState|Restart|WorkingDirectory|ExecStart)=|^"?(Z2M_WATCHDOG|ZIGBEE2MQTT_DATA)=|^$'`
	out, err = run(ctx, remote.Command{Shell: "systemctl show --no-pager -p " + properties + " -- " + remote.QuoteAll(units) + " | sed " + sift + " | grep -E " + keep})
	if err != nil {
		return nil, err
	}
	return parseUnits(out.Stdout), nil
}

// parseUnits reads what systemctl show tells of several units: a paragraph each.
func parseUnits(text []byte) []Found {
	var all []Found
	for _, paragraph := range bytes.Split(text, []byte("\n\n")) {
		p := properties(bytes.ReplaceAll(paragraph, []byte(`"`), nil))
		if !unitName.MatchString(p["Id"]) || p["LoadState"] == "not-found" || slices.ContainsFunc(all, func(f Found) bool { return f.Unit == trimUnit(p["Id"]) }) {
			continue
		}
		f := Found{
			Kind: Systemd, Unit: trimUnit(p["Id"]), State: systemdState(p), Enabled: systemdEnabled(p),
			Restart: p["Restart"], Watchdog: p[watchdog], Program: p["WorkingDirectory"],
		}
		f.Program = absolute(strings.TrimPrefix(f.Program, "!"))
		f.Data = dataOf(p[dataVariable], cmp.Or(f.Program, scriptFolder(p["ExecStart"])))
		all = append(all, f)
	}
	return all
}

func trimUnit(id string) string { return strings.TrimSuffix(id, ".service") }

// dataVariable names Zigbee2MQTT's data directory.
const dataVariable = "ZIGBEE2MQTT_DATA"

// dataOf guesses the data directory: what the environment says, else data below the
// folder of the program. A path that makes no sense on a host counts as none.
func dataOf(env, program string) string {
	if dir := absolute(env); dir != "" {
		return dir
	}
	if program == "" || env != "" {
		return ""
	}
	return path.Join(program, "data")
}

// absolute is dir when it can be one of the host, else "".
func absolute(dir string) string {
	if !path.IsAbs(dir) || len(dir) > 4096 || strings.ContainsAny(dir, "\x00\n\r$%") || dir == "/" {
		return ""
	}
	return path.Clean(dir)
}

// scriptFolder is the folder of the script in a command line such as node
// /opt/zigbee2mqtt/index.js.
func scriptFolder(command string) string {
	for word := range strings.FieldsSeq(command) {
		if strings.HasSuffix(word, "/index.js") {
			return absolute(path.Dir(word))
		}
	}
	return ""
}
