package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"z2mha/internal/host/helperapi"
)

// A user is a process that works on the data directory, and how that was seen.
type user struct {
	process process
	why     string
}

func holders(users []user) []helperapi.Holder {
	var all []helperapi.Holder
	for _, u := range users {
		all = append(all, helperapi.Holder{PID: int(u.process), Command: u.process.command(), Why: u.why, Ours: u.process.ours()})
	}
	return all
}

// usersOf finds the processes that work on dir, in containers too. An error that
// wraps errBlind comes with those that could be seen. Arguments can always be seen, so
// a hidden process counts only when it may be Zigbee2MQTT.
func usersOf(dir folder) ([]user, error) {
	all, err := others()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []user
	hidden := 0
	for _, p := range all {
		words := p.words()
		if len(words) == 0 || isShell(words[0]) {
			continue // a kernel thread, or somebody who typed the name of the directory
		}
		why, err := uses(p, words, dir)
		if hides(err) && runsZigbee2MQTT(words) {
			hidden++
		}
		if why != "" {
			found = append(found, user{p, why})
		}
	}
	return found, blindness(hidden, len(all))
}

// uses says by what a process is seen to work on dir, "" when it does not seem to.
//
// Zigbee2MQTT takes its directory from ZIGBEE2MQTT_DATA, else it is data beside the
// program, whose folder is then the working directory. It keeps no file open all the
// time but its log.
func uses(p process, words []string, dir folder) (string, error) {
	env, err := p.env("ZIGBEE2MQTT_DATA")
	if err != nil {
		return "", err
	}
	if env != "" && p.means(env, dir) {
		return "ZIGBEE2MQTT_DATA=" + env, nil
	}
	cwd, err := p.dir()
	if err != nil {
		return "", err
	}
	if env == "" && runsZigbee2MQTT(words) && p.besideIs("data", dir) {
		return "runs in " + cwd, nil
	}
	file, err := p.writes(dir)
	if file != "" {
		return "writes " + file, nil
	}
	return "", err
}

// runsZigbee2MQTT says that the arguments look like Node running it.
func runsZigbee2MQTT(words []string) bool {
	switch filepath.Base(words[0]) {
	case "node", "nodejs", "npm", "pnpm", "zigbee2mqtt":
		return true
	}
	return slices.ContainsFunc(words[1:], func(w string) bool {
		return filepath.Base(w) == "index.js" || strings.Contains(w, "zigbee2mqtt")
	})
}

// isShell says that a program only carries an environment to others. A login shell
// calls itself -bash.
func isShell(program string) bool {
	switch strings.TrimPrefix(filepath.Base(program), "-") {
	case "sh", "ash", "bash", "dash", "fish", "zsh", "busybox",
		"su", "sudo", "doas", "login", "sshd", "tmux", "screen", "(sd-pam)":
		return true
	}
	return strings.HasPrefix(program, "sshd:") || strings.HasPrefix(program, "tmux:")
}

// Users names who holds port and who works on the data directory dir. Unlike Look it
// fails when some processes cannot be seen: who asks here is about to act.
func Users(address, dir string) (ports, dirs []helperapi.Holder, err error) {
	var r helperapi.ProbeResult
	if err := lookAtPort(&r, address); err != nil {
		return nil, nil, err
	}
	users, err := usersOf(folderAt(dir))
	if err != nil {
		blind(&r, err)
	}
	sight{proc: procDir, euid: os.Geteuid()}.limits(&r)
	if r.Blind {
		return nil, nil, helperapi.Errorf(helperapi.ExitRefused, "%s; %s", r.BlindReason, r.BlindRemedy)
	}
	return r.Holders, holders(users), nil
}

// HasAncestor says that a process was started, at any distance, by a program of that name.
func HasAncestor(pid int, name string) bool {
	for p := process(pid).parent(); p > 1; p = p.parent() {
		if filepath.Base(p.exe()) == name {
			return true
		}
	}
	return false
}

// Lives says that a process has not ended; of one that has, nobody may have heard yet.
func Lives(pid int) bool { return process(pid).exe() != "" }
