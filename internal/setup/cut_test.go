package setup_test

import (
	"bytes"
	"strings"
	"testing"

	"z2mha/internal/config"
	"z2mha/internal/setup"
)

const nuc = `      - name: nuc
        host: 192.0.2.3
        dongle: /dev/c
        data: /c
        service: docker
`

const three = top + "networks:\n  - name: home\n    nodes:\n" + pairOfNodes + nuc

const flowThree = top + "networks: [ {name: home, nodes: [{name: attic, host: h, dongle: /dev/a, data: '/a ]', service: systemd}, # x ]\n" +
	" {name: cellar, host: 'i', dongle: \"/dev/\\x62\", data: /b, service: openrc}, # the second }\n" +
	" {name: nuc, host: j, dongle: /dev/c, data: /c, service: docker} # the last ]}\n ]} ] # end\n"

func TestANodeIsRemovedWithoutTouchingAnyOtherByte(t *testing.T) {
	attic := pairOfNodes[:strings.Index(pairOfNodes, "      - name: cellar")]
	cellar := pairOfNodes[len(attic):]
	for name, tt := range map[string]struct{ src, node, gone string }{
		"the first":                          {three, "attic", attic},
		"the one in the middle":              {three, "cellar", cellar},
		"the last":                           {three, "nuc", nuc},
		"the last without a line end":        {strings.TrimRight(three, "\n"), "nuc", strings.TrimRight(nuc, "\n")},
		"with Windows line ends":             {strings.ReplaceAll(three, "\n", "\r\n"), "cellar", strings.ReplaceAll(cellar, "\n", "\r\n")},
		"before blank lines":                 {three + "\n\n", "nuc", nuc},
		"before what follows":                {three + "\n# timing\ntiming:\n  stop: 30s\n", "nuc", nuc},
		"with its own comments":              {three + "        # staging: /x\n        # another\n    # about the network\n    base_topic: t\n", "nuc", nuc + "        # staging: /x\n        # another\n"},
		"not with comments of the next":      {strings.Replace(three, nuc, "      # the nuc\n"+nuc, 1), "cellar", cellar},
		"with a comment in its first column": {strings.Replace(three, "        dongle: /dev/b", "# dongle: /dev/x\n        dongle: /dev/b", 1), "cellar", strings.Replace(cellar, "        dongle: /dev/b", "# dongle: /dev/x\n        dongle: /dev/b", 1)},
		"not with a comment far behind":      {three + "# timing\n        # deep\ntiming: {stop: 30s}\n", "nuc", nuc},
		"at the dash's own indentation": {top + "networks:\n- name: home\n  nodes:\n" + strings.ReplaceAll(pairOfNodes+nuc, "      ", "  ") + "timing: {stop: 30s}\n",
			"nuc", strings.ReplaceAll(nuc, "      ", "  ")},
		"with keys behind the list":      {top + "networks:\n- nodes:\n" + pairOfNodes + nuc + "  name: home\n", "nuc", nuc},
		"with a dash alone":              {strings.Replace(three, "- name: cellar", "-\n        name: cellar", 1), "cellar", strings.Replace(cellar, "- name: cellar", "-\n        name: cellar", 1)},
		"with an anchor":                 {strings.Replace(three, "- name: cellar", "- &c\n        name: cellar", 1), "cellar", strings.Replace(cellar, "- name: cellar", "- &c\n        name: cellar", 1)},
		"that refers to another one":     {strings.Replace(strings.Replace(three, "service: systemd", "service: &how {start: 'a', stop: 'b'}", 1), "service: openrc", "service: *how", 1), "cellar", strings.Replace(cellar, "openrc", "*how", 1)},
		"with a folded text":             {strings.Replace(three, "service: openrc", "service:\n          start: >\n            one\n\n            # two\n          stop: |\n            three", 1), "cellar", strings.Replace(cellar, "service: openrc", "service:\n          start: >\n            one\n\n            # two\n          stop: |\n            three", 1)},
		"with letters of many bytes":     {strings.Replace(three, "networks:", "# Küche – 居間\nnetworks:", 1), "nuc", nuc},
		"the first in flow style":        {flowThree, "attic", "{name: attic, host: h, dongle: /dev/a, data: '/a ]', service: systemd}, # x ]\n "},
		"the second in flow style":       {flowThree, "cellar", "{name: cellar, host: 'i', dongle: \"/dev/\\x62\", data: /b, service: openrc}, # the second }\n "},
		"the last in flow style":         {flowThree, "nuc", "{name: nuc, host: j, dongle: /dev/c, data: /c, service: docker}"},
		"the last with a comma":          {strings.Replace(flowThree, "docker}", "docker},", 1), "nuc", "{name: nuc, host: j, dongle: /dev/c, data: /c, service: docker}, # the last ]}\n "},
		"the last behind a comma alone":  {strings.Replace(flowThree, ", # the second }\n", ", ", 1), "nuc", ",  {name: nuc, host: j, dongle: /dev/c, data: /c, service: docker}"},
		"in flow style with letters":     {strings.Replace(flowThree, "data: '/a ]'", "data: /ä–居", 1), "attic", "{name: attic, host: h, dongle: /dev/a, data: /ä–居, service: systemd}, # x ]\n "},
		"in flow style before a newline": {strings.Replace(flowThree, ", # the second }\n", "\n, ", 1), "cellar", "{name: cellar, host: 'i', dongle: \"/dev/\\x62\", data: /b, service: openrc}\n,  "},
	} {
		t.Run(name, func(t *testing.T) {
			out, text, err := setup.Cut([]byte(tt.src), "home", tt.node)
			if err != nil {
				t.Fatalf("%v\n%s", err, tt.src)
			}
			if want := strings.Replace(tt.src, tt.gone, "", 1); string(out) != want || want == tt.src {
				t.Fatalf("got\n%s\nwant\n%s", out, want)
			}
			if text != strings.Trim(tt.gone, "\r\n") {
				t.Errorf("shows %q, takes %q", text, tt.gone)
			}
			c, err := config.Parse("/x/z2mha.yaml", out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if n, _ := c.Network("home"); len(n.Nodes) != 2 {
				t.Errorf("got %+v", n)
			}
		})
	}
}

func TestANetworkIsRemovedWhole(t *testing.T) {
	home := "  - name: home # the house\n    base_topic: first\n    nodes:\n" + pairOfNodes
	annex := "  - name: annex\n    nodes:\n" + strings.NewReplacer("192.0.2.1", "192.0.2.11", "192.0.2.2", "192.0.2.12").Replace(pairOfNodes)
	inline := "{name: home, nodes: [{name: attic, host: h, dongle: /dev/a, data: /a, service: systemd}, {name: cellar, host: i, dongle: /dev/b, data: /b, service: openrc}]}"
	for name, tt := range map[string]struct{ src, gone string }{
		"the first":                   {top + "networks:\n" + home + annex + "timing: {stop: 30s}\n", home},
		"the last":                    {top + "networks:\n" + annex + "  # the house\n" + home + "\ntiming: {stop: 30s}\n", home},
		"the only one":                {top + "networks: # mine\n" + home + "timing: {stop: 30s}\n", home},
		"the only one in flow style":  {top + "networks: [" + inline + "]\n", inline},
		"the only one in a flow file": {"{mqtt: {server: 'mqtt://b'}, networks: [ " + inline + " ]}\n", inline},
	} {
		t.Run(name, func(t *testing.T) {
			out, text, err := setup.Cut([]byte(tt.src), "home", "cellar")
			if err != nil {
				t.Fatalf("%v\n%s", err, tt.src)
			}
			if want := strings.Replace(tt.src, tt.gone, "", 1); string(out) != want || text != strings.Trim(tt.gone, "\n") {
				t.Fatalf("got\n%s\nwant\n%s\nshown\n%s", out, want, text)
			}
			c, err := config.Parse("/x/z2mha.yaml", out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if _, there := c.Network("home"); there {
				t.Errorf("got %+v", c.Networks)
			}
			if !strings.Contains(name, "only") {
				return
			}
			if again, _, err := setup.Splice(out, "home"); err != nil || !bytes.Contains(again, []byte("shed")) {
				t.Errorf("adding again: %v\n%s", err, again)
			}
		})
	}
}

func TestWhatCannotBeRemovedIsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ src, node, why string }{
		"a node that is not there":          {three, "shed", "no such node"},
		"no name":                           {three, "", "no such node"},
		"broken YAML":                       {top + "networks: [\n", "nuc", "cannot be used"},
		"a file with another problem":       {three + "bogus: 1\n", "nuc", "bogus"},
		"a node that others refer to":       {strings.Replace(strings.Replace(three, "service: systemd", "service: &how {start: 'a', stop: 'b'}", 1), "service: openrc", "service: *how", 1), "attic", "without changing"},
		"a list that is an alias":           {"x-nodes: &n\n" + pairOfNodes + nuc + top + "networks:\n  - name: home\n    nodes: *n\n", "nuc", ""},
		"a text that runs into the next":    {strings.Replace(three, "service: openrc", "service:\n          stop: b\n          start: |+\n            one\n\n", 1), "nuc", "-"},
		"an explicit key before the dashes": {top + "networks:\n  - name: home\n    ? nodes\n    : - {name: a, host: a, dongle: /a, data: /a, service: openrc}\n      - {name: b, host: b, dongle: /b, data: /b, service: openrc}\n      - {name: c, host: c, dongle: /c, data: /c, service: openrc}\n", "a", "without changing"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := setup.Cut([]byte(tt.src), "home", tt.node)
			if tt.why == "-" { // it is allowed, since it changes nothing else
				if err != nil || !strings.HasPrefix(tt.src, string(out)) {
					t.Errorf("%v\n%s", err, out)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Fatalf("got %v\n%s", err, out)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("shows a password: %v", err)
			}
		})
	}
}

func FuzzRemovingTakesOnePiece(f *testing.F) {
	f.Add([]byte(three), "cellar")
	f.Add([]byte(flowThree), "attic")
	f.Fuzz(func(t *testing.T, src []byte, node string) {
		out, text, err := setup.Cut(src, "home", node)
		if err != nil {
			return
		}
		keepsAll(t, string(out), src)
		if !bytes.Contains(src, []byte(text)) {
			t.Errorf("shows %q", text)
		}
		if _, err := config.Parse("/x/z2mha.yaml", out); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
