package service

import (
	"bytes"
	"encoding/json"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

// docker is a container, with docker's own command or podman's in its place. The
// daemon's socket is root's, or its group's.
type docker struct{ name string }

// Stop gives Zigbee2MQTT time for its closing backup, which takes 5 to 20 s, then
// docker kills it. A container that was stopped is not restarted by its policy before
// the daemon itself is.
func (d docker) Stop() remote.Command  { return asRoot("docker", "stop", "-t", "45", d.name) }
func (d docker) Start() remote.Command { return asRoot("docker", "start", d.name) }

// Status asks for single values: the whole environment would hold secrets.
func (d docker) Status() (remote.Command, bool) {
	return asRoot("docker", "container", "inspect", "-f", dockerStatus, d.name), true
}

// dockerStatus is a template that gives one JSON object. Source: docker container
// inspect; Docker's and Podman's template functions.
const dockerStatus = "{" + dockerFields + "}"

const dockerFields = `"status":{{json .State.Status}},"restart":{{json .HostConfig.RestartPolicy.Name}},` +
	`"rm":{{json .HostConfig.AutoRemove}},` + dockerEnv + `"labels":{"version":{{json (index .Config.Labels "org.opencontainers.image.version")}}},` + dockerDevices

// dockerEnv takes the two variables of use out of the environment.
const dockerEnv = `"env":[{{range .Config.Env}}{{$name := index (split . "=") 0}}` +
	`{{if or (eq $name "Z2M_WATCHDOG") (eq $name "ZIGBEE2MQTT_DATA")}}{{json .}},{{end}}{{end}}""],`

const dockerDevices = `"devices":[{{range .HostConfig.Devices}}[{{json .PathOnHost}},{{json .PathInContainer}}],{{end}}[]]`

func (d docker) Kill() (remote.Command, bool)  { return asRoot("docker", "kill", d.name), true }
func (d docker) Clear() (remote.Command, bool) { return remote.Command{}, false }
func (d docker) GivesUpEarly() bool            { return false }
func (d docker) Disable() string               { return "docker update --restart no " + d.name }

// Autostart goes by the restart policy.
func (d docker) Autostart(on bool) (remote.Command, bool) {
	policy := "no"
	if on {
		policy = "unless-stopped"
	}
	return asRoot("docker", "update", "--restart", policy, d.name), true
}

// A container is what docker tells in answer to dockerStatus.
type container struct {
	Status  string
	Restart string
	Rm      bool // it is removed when it stops
	Env     []string
	Labels  struct{ Version string }
	Devices [][]string
}

func (d docker) Report(out remote.Output) Report {
	c, ok := parseContainer(out.Stdout)
	if out.Exit != 0 || !ok {
		return Report{State: network.ServiceUnknown, Trouble: d.explain("ask about", out)}
	}
	r := Report{
		State: c.state(), Enabled: c.enabled(), Restart: c.Restart, Watchdog: c.env(watchdog),
		Version: c.Labels.Version, Devices: c.devices(),
	}
	if c.Rm {
		r.Trouble = unaskable(d.name, "the container "+d.name+" was made with --rm: it is gone when it stops, and could not be started again",
			"create it again without --rm")
	}
	return r
}

// parseContainer reads the first line that holds an object.
func parseContainer(text []byte) (container, bool) {
	var c container
	for line := range bytes.Lines(text) {
		if json.Unmarshal(line, &c) == nil && c.Status != "" {
			return c, true
		}
	}
	return container{}, false
}

// state goes by the container's status. One between two automatic restarts counts as
// running, because docker is about to start it.
func (c container) state() network.ServiceState {
	switch c.Status {
	case "running", "restarting", "paused", "stopping":
		return network.ServiceRunning
	case "created", "exited", "removing", "configured", "initialized", "stopped":
		return network.ServiceStopped
	case "dead":
		return network.ServiceFailed
	}
	return network.ServiceUnknown
}

// enabled goes by the restart policy. A container with on-failure starts at boot, too,
// when it was running, or had been killed, before.
// Source: moby issues 35166 and 47846.
func (c container) enabled() string {
	switch c.Restart {
	case "always", "unless-stopped", "on-failure":
		return Yes
	case "no", "":
		return No
	}
	return ""
}

func (c container) env(name string) string {
	for _, entry := range c.Env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func (c container) devices() map[string]string {
	all := map[string]string{}
	for _, pair := range c.Devices {
		if len(pair) == 2 {
			all[pair[1]] = pair[0]
		}
	}
	return all
}

func (d docker) Judge(verb Verb, out remote.Output) error {
	if out.Exit == 0 {
		return nil
	}
	return d.explain(string(verb), out)
}

// explain knows what docker and podman say.
func (d docker) explain(what string, out remote.Output) *network.RefusedError {
	e := &network.RefusedError{What: what + " the container " + d.name, Why: out.Said()}
	if d.name == "" {
		e.What = what + " the containers"
	}
	said := strings.ToLower(e.Why)
	switch {
	case cannotRun(out):
		e.Remedy = "this host has no docker: choose another kind of service"
	case strings.Contains(said, "no such container") || strings.Contains(said, "no container with name"):
		e.Why, e.Remedy = "there is no container "+d.name, "check its name with \"docker ps -a\" and write it into container:"
	case strings.Contains(said, "permission denied"):
		e.Why, e.Remedy = "this user may not talk to docker", "set become: sudo or doas for this node, or add the user to the group docker"
	case strings.Contains(said, "cannot connect") || strings.Contains(said, "is the docker daemon running"):
		e.Why, e.Remedy = "the docker daemon does not run", "start docker on the host and enable it there"
	case strings.Contains(said, "gathering device information"):
		e.Remedy = "plug the stick in, or create the container again with the name it has now"
	case d.name == "":
		e.Remedy = "try \"docker ps -a\" on the host"
	default:
		e.Remedy = "see \"docker logs " + d.name + "\" on the host"
	}
	return e
}

// Unmask: there is no such thing here.
func (docker) Unmask() (remote.Command, bool) { return remote.Command{}, false }
