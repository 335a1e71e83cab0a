package service

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"path"
	"regexp"
	"strings"
)

var containerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}$`)

// dockerFound is dockerStatus with what a stranger wants to know.
const dockerFound = `{"name":{{json .Name}},"image":{{json .Config.Image}},"mounts":[{{range .Mounts}}[{{json .Source}},{{json .Destination}}],{{end}}[]],` +
	dockerFields + `}`

func detectDocker(ctx context.Context, run runner) ([]Found, error) {
	out, err := run(ctx, asRoot("docker", "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.Image}}"))
	if err != nil {
		return nil, err
	}
	if out.Exit != 0 {
		return nil, docker{}.explain("list", out)
	}
	containers := names(candidateContainers(out.Stdout), containerName)
	if len(containers) == 0 {
		return nil, nil
	}
	out, err = run(ctx, asRoot(append([]string{"docker", "container", "inspect", "-f", dockerFound}, containers...)...))
	if err != nil {
		return nil, err
	}
	return parseContainers(out.Stdout), nil // one that was removed meanwhile is left out
}

// candidateContainers picks from lines of name and image.
func candidateContainers(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		name, image, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
		name, _, _ = strings.Cut(name, ",") // further names are links
		if ok && (looksLike(name) || looksLike(image)) && !strings.Contains(image, "z2mha") {
			out.WriteString(name + "\n")
		}
	}
	return out.Bytes()
}

// parseContainers reads a JSON object a line and passes over what is none.
func parseContainers(text []byte) []Found {
	var all []Found
	for line := range bytes.Lines(text) {
		var c struct {
			container
			Name, Image string
			Mounts      [][]string
		}
		if json.Unmarshal(line, &c) != nil {
			continue
		}
		name := strings.TrimPrefix(c.Name, "/")
		if !containerName.MatchString(name) {
			continue
		}
		f := Found{
			Kind: Docker, Unit: name, State: c.state(), Enabled: c.enabled(), Restart: c.Restart,
			Watchdog: c.env(watchdog), Image: c.Image,
			Data: mounted(c.Mounts, cmp.Or(absolute(c.env(dataVariable)), "/app/data")),
		}
		for _, pair := range c.Devices {
			if len(pair) == 2 {
				f.Devices = append(f.Devices, pair[0])
			}
		}
		all = append(all, f)
	}
	return all[:min(len(all), mostFound)]
}

// mounted is the host's path of a container's directory, "" when it lies in the container
// itself.
func mounted(mounts [][]string, dir string) string {
	best, found := "", ""
	for _, m := range mounts {
		if len(m) != 2 || len(m[1]) <= len(best) || absolute(m[0]) == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(dir+"/", path.Clean(m[1])+"/"); ok {
			best, found = m[1], path.Join(m[0], rest)
		}
	}
	return found
}
