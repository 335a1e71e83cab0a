package setup_test

import (
	"bytes"
	"strings"
	"testing"

	"z2mha/internal/config"
	"z2mha/internal/setup"
)

const top = "mqtt: {server: 'mqtt://localhost', user: u, password: \"s3cret: #\"}\n"

const pairOfNodes = `      - name: attic
        host: 192.0.2.1
        dongle: /dev/a
        data: /a
        service: systemd
      - name: cellar
        host: 192.0.2.2
        dongle: /dev/b
        data: /b
        service: openrc
`

func TestANodeIsAddedWithoutTouchingAnyOtherByte(t *testing.T) {
	plain := top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes
	for name, src := range map[string]string{
		"at the end":                       plain,
		"at the end without a line end":    strings.TrimRight(plain, "\n"),
		"with Windows line ends":           strings.ReplaceAll(plain, "\n", "\r\n"),
		"behind blank lines":               plain + "\n\n\n",
		"before what follows":              plain + "\n# timing\ntiming:\n  stop: 30s\n",
		"with a policy around it":          "policy: # ours\n    confirm:   45s\n" + strings.Replace(plain, "    nodes:", "    policy: {automatic: false} # asked first\n    nodes:", 1) + "    # tail\n",
		"behind a comment of the last one": plain + "        # staging: /x\n        # another\n    # about the network\n    base_topic: zigbee2mqtt\n",
		"at the dash's own indentation":    top + "networks:\n- name: home\n  nodes:\n" + strings.ReplaceAll(pairOfNodes, "      ", "  ") + "timing: {stop: 30s}\n",
		"with keys behind the list":        top + "networks:\n- nodes:\n" + pairOfNodes + "  name: home\n",
		"with a dash alone":                strings.Replace(plain, "- name: cellar", "-\n        name: cellar", 1),
		"with tabs where they may be":      strings.Replace(plain, "host: 192.0.2.2", "host:\t192.0.2.2\t# tab", 1),
		"in flow style": top + "networks: [ {name: home, nodes: [{name: attic, host: h, dongle: /dev/a, data: /a, service: systemd}, # x ]\n" +
			" {name: cellar, host: 'i', dongle: \"/dev/\\x62\", data: /b, service: openrc} # the last ]}\n ]} ] # end\n",
		"in flow style with a comma at the end": top + "networks: [{name: home, nodes: [{name: attic, host: h, dongle: /dev/a, data: /a, service: systemd},\n" +
			" {name: cellar, host: i, dongle: /dev/b, data: '/it''s ]', service: openrc}, ]}]\n",
		"beside anchors and aliases": strings.Replace(strings.Replace(plain, "service: systemd", "service: &how {start: 'a', stop: 'b'}", 1), "service: openrc", "service: *how", 1),
		"with an anchor at the node": strings.Replace(plain, "- name: cellar", "- &c\n        name: cellar", 1),
		"with a folded text":         strings.Replace(plain, "service: openrc", "service:\n          start: >\n            one\n\n            # two\n          stop: |\n            three", 1),
		"with letters of many bytes": strings.Replace(plain, "networks:", "# Küche – 居間\nnetworks:", 1),
		"that has one node only":     top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes[:strings.Index(pairOfNodes, "      - name: cellar")],
	} {
		t.Run(name, func(t *testing.T) {
			out, added, err := setup.Splice([]byte(src), "home")
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			keepsAll(t, src, out)
			c, err := config.Parse("/x/z2mha.yaml", out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			n, _ := c.Network("home")
			if shed, ok := n.Node("shed"); !ok || shed.Host.Name != "192.0.2.99" || len(c.Networks) != 1 {
				t.Errorf("got %+v\n%s", c.Networks, out)
			}
			if strings.Contains(added, "s3cret") || strings.Contains(added, "attic") {
				t.Errorf("shows more than what is added: %s", added)
			}
		})
	}
}

func TestANetworkIsAddedWithoutTouchingAnyOtherByte(t *testing.T) {
	for name, src := range map[string]string{
		"behind others":           top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes + "# end\n",
		"to a broker alone":       "# mine\n" + top + "# the rest is to come",
		"to an empty key":         top + "networks: # none yet\ntiming: {stop: 30s}\n",
		"to an empty list":        top + "networks: []\n",
		"to an empty file":        "",
		"to a file of comments":   "# nothing\n\n",
		"before the rest of them": top + "networks:\n- name: home\n  nodes:\n" + pairOfNodes + "timing: {stop: 30s}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(src, "mqtt") {
				if _, _, err := setup.Splice([]byte(src), "annex"); err == nil || !strings.Contains(err.Error(), "broker") {
					t.Errorf("got %v", err)
				}
				return
			}
			src = strings.ReplaceAll(src, "base_topic", "")
			out, added, err := setup.Splice([]byte(src), "annex")
			if strings.Contains(src, "name: home") {
				// Two networks with one base topic are refused, before anything is written.
				if err == nil || !strings.Contains(err.Error(), "base topic") {
					t.Fatalf("got %v", err)
				}
				src = strings.Replace(src, "name: home", "name: home\n"+strings.Repeat(" ", strings.Index(src, "name: home")-strings.LastIndex(src[:strings.Index(src, "name: home")], "\n")-1)+"base_topic: first", 1)
				out, added, err = setup.Splice([]byte(src), "annex")
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			keepsAll(t, src, out)
			c, err := config.Parse("/x/z2mha.yaml", out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if n, ok := c.Network("annex"); !ok || len(n.Nodes) != 2 {
				t.Errorf("got %+v", c.Networks)
			}
			if strings.Contains(added, "s3cret") {
				t.Errorf("shows a password: %s", added)
			}
		})
	}
}

func TestAFileThatCannotBeAddedToIsRefused(t *testing.T) {
	list := "nodes: &n\n" + pairOfNodes
	for name, src := range map[string]string{
		"a list that is an alias":        top + "x: " + "1\nnetworks:\n  - name: other\n    " + list + "  - name: home\n    base_topic: t\n    nodes: *n\n",
		"a list that others refer to":    top + "networks:\n  - name: home\n    " + list + "  - name: other\n    base_topic: t\n    nodes: *n\n",
		"broken YAML":                    top + "networks: [\n",
		"a list at the top":              "- a\n",
		"another problem":                top + "networks:\n  - name: home\n    bogus: 1\n    nodes:\n" + pairOfNodes,
		"two documents":                  top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes + "---\na: b\n",
		"a text where the list would be": top + "networks:\n  - name: home\n    nodes: none\n",
		"a null written out":             top + "networks:\n  - name: home\n    nodes: ~\n",
		"a node of this host":            top + "networks:\n  - name: home\n    nodes:\n" + strings.Replace(strings.Replace(pairOfNodes, "192.0.2.1", "192.0.2.99", 1), "data: /a", "data: /opt/zigbee2mqtt/data", 1),
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := setup.Splice([]byte(src), "home")
			if err == nil {
				t.Fatalf("got\n%s", out)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("shows a password: %v", err)
			}
		})
	}
}

// keepsAll makes sure that out is src with something in the middle.
func keepsAll(t *testing.T, src string, out []byte) {
	t.Helper()
	at := 0
	for at < len(src) && at < len(out) && src[at] == out[at] {
		at++
	}
	if rest := len(src) - at; len(out) <= len(src) || !bytes.HasSuffix(out, []byte(src[at:])) || rest < 0 {
		t.Fatalf("changes what was there:\n%s", out)
	}
}

func FuzzAddingKeepsEveryByte(f *testing.F) {
	f.Add([]byte(top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes))
	f.Add([]byte("{mqtt: {server: mqtt://a}, networks: [{name: home, nodes: []}]}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		out, _, err := setup.Splice(src, "home")
		if err != nil {
			return
		}
		keepsAll(t, string(src), out)
		if _, err := config.Parse("/x/z2mha.yaml", out); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
