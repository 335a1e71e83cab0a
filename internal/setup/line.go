package setup

import (
	"strings"

	"golang.org/x/crypto/ssh"

	"z2mha/web"
)

// login is the user that the lines make on a host.
const login = "z2mha"

// A kind is a sort of host, with the parts of its line. The parts are free of single
// quotes and run in dash and in busybox's shell.
type kind struct {
	name   string
	root   string // program with which a user becomes root in order to run the line
	make   string // makes the user, and the rule by which it becomes root
	resign string // stops Zigbee2MQTT and takes away its start at boot
	undo   string // takes everything back
	does   []string
	stops  string // resign in words
}

// onlyOurs ends a line on a host where somebody else is called z2mha: that user's keys
// would be replaced, and its home removed by the way back. An unknown name stays as it is.
const onlyOurs = `h=~z2mha; [ "$h" = "~z2mha" ] || [ "$h" = /home/z2mha ] || { echo "Nothing was done: there is another user z2mha here, with the home $h."; exit 1; }; `

// makeSudo makes a system user. A locked password would keep sshd from admitting it, key
// or not; * is a password that nothing matches. The rule is checked before it counts:
// sudo refuses everybody when a file has a mistake, and passes over names with a dot.
const makeSudo = `command -v visudo >/dev/null || apt-get install -y sudo; ` +
	`id z2mha >/dev/null 2>&1 || useradd --system --user-group --create-home --home-dir /home/z2mha --shell /bin/sh z2mha; ` +
	`usermod -p "*" z2mha; ` +
	`r=/etc/sudoers.d/z2mha; echo "z2mha ALL=(root) NOPASSWD: ALL" >$r.new; chmod 440 $r.new; visudo -cqf $r.new; mv $r.new $r; `

// makeDoas is the same for Alpine, whose doas reads doas.d in newer versions.
const makeDoas = `command -v doas >/dev/null || apk add doas; ` +
	`id z2mha >/dev/null 2>&1 || adduser -D -h /home/z2mha -s /bin/sh z2mha; ` +
	`echo "z2mha:*" | chpasswd -e >/dev/null; ` +
	`p="permit nopass z2mha as root"; if [ -d /etc/doas.d ]; then r=/etc/doas.d/z2mha.conf; echo "$p" >$r.new; ` +
	`else r=/etc/doas.conf; { grep -vxF "$p" $r || true; echo "$p"; } >$r.new 2>/dev/null; fi; ` +
	`chmod 600 $r.new; doas -C $r.new >/dev/null; mv $r.new $r; `

const undoSudo = `rm -rf /etc/sudoers.d/z2mha /var/lib/z2mha; userdel --remove z2mha`

const undoDoas = `rm -rf /etc/doas.d/z2mha.conf /var/lib/z2mha; sed -i "/permit nopass z2mha as root/d" /etc/doas.conf; deluser --remove-home z2mha`

var kinds = []kind{
	{
		name: "Debian, Ubuntu, Raspberry Pi OS (systemd)", root: "sudo",
		make: makeSudo, undo: undoSudo,
		resign: `if systemctl cat zigbee2mqtt >/dev/null 2>&1; then systemctl disable --now zigbee2mqtt; else echo "There is no unit zigbee2mqtt here."; fi; `,
		does:   []string{"installs sudo if it is missing", sudoRule},
		stops:  "stops the service zigbee2mqtt now and keeps it from starting at boot",
	},
	{
		name: "Alpine (OpenRC)", root: "doas",
		make: makeDoas, undo: undoDoas,
		resign: `if [ -e /etc/init.d/zigbee2mqtt ]; then rc-update --all del zigbee2mqtt || true; rc-service --ifstarted zigbee2mqtt stop || true; ` +
			`else echo "There is no service zigbee2mqtt here."; fi; `,
		does:  []string{"installs doas if it is missing", "makes a rule with which that user becomes root without a password (in /etc/doas.d, or /etc/doas.conf in older versions), after doas itself has checked it"},
		stops: "stops the service zigbee2mqtt now and takes it out of all runlevels, so that it does not start at boot",
	},
	{
		name: "Zigbee2MQTT in Docker", root: "sudo",
		make: `if command -v apk >/dev/null; then ` + makeDoas + `else ` + makeSudo + `fi; `,
		undo: `if command -v apk >/dev/null; then ` + undoDoas + `; else ` + undoSudo + `; fi`,
		resign: `n=$(docker ps -a --format "{{.Names}} {{.Image}}" | sed -n -e "/zigbee2mqtt_ha/d" -e "/z2mha/d" -e "/zigbee2mqtt/s/ .*//p"); ` +
			`[ -n "$n" ] || echo "There is no container of Zigbee2MQTT here."; for c in $n; do docker update --restart=no $c; docker stop -t 45 $c; done; `,
		does:  []string{"installs sudo, or doas on Alpine, if it is missing", sudoRule + "; on Alpine it is a rule for doas"},
		stops: "stops every container that is called zigbee2mqtt or made of such an image, and sets its restart policy to no, so that it does not start at boot",
	},
}

const sudoRule = "makes a rule with which that user becomes root without a password (/etc/sudoers.d/z2mha), after visudo has checked it"

// hosts are the lines for every kind of host, each for the one that carries the network
// now and for a stand-by.
func hosts(key string) []web.SetupHost {
	key, ok := plainKey(key)
	if !ok {
		return nil
	}
	var all []web.SetupHost
	for _, k := range kinds {
		all = append(all, k.host(key, ": Zigbee2MQTT runs here now", false), k.host(key, ": stand-by, Zigbee2MQTT shall wait here", true))
	}
	return all
}

// mind is what a line means for whoever pastes it.
const mind = "Whoever has the private key can do everything on this host, as root. It stays in our state directory and is part of its backups."

func (k kind) host(key, role string, standby bool) web.SetupHost {
	return web.SetupHost{Kind: k.name + role, Line: k.line(key, standby), Does: k.doing(standby), Mind: mind, Undo: k.asRoot(k.undo)}
}

// line is one line for the shell of root, or of a user who may become root. All that
// follows the single quote is run in a shell of its own, which the first failure ends.
func (k kind) line(key string, standby bool) string {
	body := "set -e; umask 022; " + k.make +
		`h=~z2mha; mkdir -p "$h/.ssh"; echo "restrict ` + key + `" >"$h/.ssh/authorized_keys"; ` +
		`chmod 700 "$h/.ssh"; chmod 600 "$h/.ssh/authorized_keys"; chown -R z2mha "$h/.ssh"; `
	if standby {
		body += k.resign
	}
	return k.asRoot(body + `echo "This host is prepared."`)
}

// asRoot uses sudo or doas only where the shell is not root's already. A root shell that
// was opened with a bare su has no sbin in its PATH.
func (k kind) asRoot(body string) string {
	return `S=; [ "$(id -u)" = 0 ] || S=` + k.root + `; $S sh -c 'PATH=$PATH:/usr/sbin:/sbin; ` + onlyOurs + body + `'`
}

func (k kind) doing(standby bool) []string {
	does := []string{
		"makes the user z2mha, without a password; where somebody else has that name already (with another home than /home/z2mha), nothing is done at all",
		"lets our key, and no other, log in as that user: commands and files only, no terminal and no forwarding",
	}
	does = append(does, k.does...)
	if standby {
		does = append(does, k.stops)
	} else {
		does = append(does, "leaves Zigbee2MQTT as it is: it goes on running, and its start at boot stays")
	}
	return append(does, "pasted again, it leaves the same behind")
}

// plainKey is a line of authorized_keys without options and with a comment that means
// nothing to any shell.
func plainKey(line string) (string, bool) {
	key, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return "", false
	}
	safe := func(r rune) rune {
		if r < 128 && (r == '@' || r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return -1
	}
	comment = strings.Map(safe, comment)
	return strings.TrimSpace(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment), true
}
