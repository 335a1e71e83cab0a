package probe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"z2mha/internal/host/helperapi"
)

// version finds Zigbee2MQTT's version in the package.json of the program that runs,
// of the one named, or of the one the data directory lies in. It is "" when none of
// these is Zigbee2MQTT's.
func version(a helperapi.ProbeArgs, users []user) string {
	var places []string
	for _, u := range users {
		places = append(places, u.scriptDir())
	}
	if a.Program != "" {
		places = append(places, a.Program)
	}
	if a.Data != "" {
		places = append(places, filepath.Dir(realPath(Directory(a.Data))))
	}
	for _, place := range places {
		if v := versionNear(place); v != "" {
			return v
		}
	}
	return ""
}

// scriptDir is the folder of the script a process runs, "" when it cannot be seen. That
// of a process in a container is reached through its root.
func (u user) scriptDir() string {
	dir := u.scriptDirInside()
	if dir != "" && u.process.isForeign() {
		return u.process.file("root") + dir
	}
	return dir
}

func (u user) scriptDirInside() string {
	cwd, err := u.process.dir()
	if err != nil {
		return ""
	}
	cwd = u.process.inside(cwd)
	words := u.process.words()
	for _, w := range words[min(1, len(words)):] {
		if !strings.HasSuffix(w, ".js") && filepath.Base(w) != "zigbee2mqtt" {
			continue
		}
		if !filepath.IsAbs(w) {
			w = filepath.Join(cwd, w)
		}
		return filepath.Dir(realPath(Directory(w)))
	}
	return cwd
}

// versionNear looks in a folder, in the one above, and in its node_modules.
func versionNear(place string) string {
	if place == "" {
		return ""
	}
	for _, dir := range []string{place, filepath.Dir(place), filepath.Join(place, "node_modules/zigbee2mqtt")} {
		data, err := os.ReadFile(filepath.Join(dir, "package.json"))
		var pkg struct{ Name, Version string }
		if err == nil && json.Unmarshal(data, &pkg) == nil && pkg.Name == "zigbee2mqtt" {
			return pkg.Version
		}
	}
	return ""
}
