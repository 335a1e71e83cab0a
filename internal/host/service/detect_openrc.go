package service

import (
	"bytes"
	"cmp"
	"context"
	"regexp"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

var scriptName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}$`)

// openrcNames lists the service scripts by name, and those that speak of Zigbee2MQTT.
const openrcNames = `cd /etc/init.d && { ls; grep -lsi zigbee2mqtt -- * | sed 's/^/+/'; }; true`

func detectOpenRC(ctx context.Context, run runner) ([]Found, error) {
	out, err := run(ctx, remote.Command{Shell: openrcNames})
	if err != nil {
		return nil, err
	}
	var all []Found
	for _, name := range names(candidates(out.Stdout), scriptName) {
		status, err := run(ctx, openrcDetails(name))
		if err != nil {
			return all, err
		}
		all = append(all, parseScript(name, status))
	}
	return all, nil
}

// candidates are the names that look like it, and those that are marked, but our own.
func candidates(text []byte) []byte {
	var out bytes.Buffer
	for word := range strings.FieldsSeq(string(text)) {
		name, marked := strings.CutPrefix(word, "+")
		if (marked || looksLike(name)) && !strings.HasPrefix(name, "z2mha") {
			out.WriteString(name + "\n")
		}
	}
	return out.Bytes()
}

// openrcDetails asks as Status does, and for those variables of the script that say where
// the program and its data are.
func openrcDetails(name string) remote.Command {
	status, _ := openrc{name}.Status()
	const wanted = `'s/^[^#]*\(ZIGBEE2MQTT_DATA=[^ ;]*\).*/\1/p;/^directory=/p;/^command=/p;s/^command_args=.* \(\/[^ "]*\/index\.js\).*/script=\1/p;s/^[^#]*--prefix[ =]\([^ "]*\).*/directory=\1/p'`
	q := remote.Quote(name)
	status.Shell = sbin + "sed -n " + wanted + " /etc/init.d/" + q + " /etc/conf.d/" + q + " 2>/dev/null; " + status.Shell
	return status
}

// parseScript reads the answer to openrcDetails. What conf.d says comes last and counts.
func parseScript(name string, out remote.Output) Found {
	r := openrc{name}.Report(out)
	p := map[string]string{}
	for key, value := range properties(out.Stdout) {
		p[key] = strings.Trim(value, `"'`)
	}
	f := Found{
		Kind: OpenRC, Unit: name, State: r.State, Enabled: r.Enabled, Restart: r.Restart, Watchdog: r.Watchdog,
		Program: absolute(p["directory"]),
	}
	if f.State == "" {
		f.State = network.ServiceUnknown
	}
	f.Data = dataOf(p[dataVariable], cmp.Or(f.Program, scriptFolder(p["script"])))
	return f
}
