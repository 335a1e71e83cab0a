package addon_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/plan"
)

// A rule is what Supervisor accepts for one key of the manifest and what it assumes
// when the key is left out. Source: supervisor/apps/validate.py, August 2026.
type rule struct {
	required bool
	standard any // nil: there is none, or it is empty
	check    func(any) error
}

var manifestRules = map[string]rule{
	"name":           {required: true, check: text},
	"version":        {required: true, check: matching(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)},
	"slug":           {required: true, check: matching(`^[-_.A-Za-z0-9]+$`)},
	"description":    {required: true, check: text},
	"arch":           {required: true, check: listOf(oneOf("aarch64", "amd64"))}, // the older ones are deprecated
	"url":            {check: matching(`^https://\S+$`)},
	"startup":        {standard: "application", check: oneOf("initialize", "system", "services", "application", "once")},
	"boot":           {standard: "auto", check: oneOf("auto", "manual", "manual_only")},
	"init":           {standard: true, check: flag},
	"stage":          {standard: "stable", check: oneOf("stable", "experimental", "deprecated")},
	"homeassistant":  {check: matching(`^\d{4}\.\d+\.\d+$`)},
	"machine":        {check: listOf(text)},
	"ports":          {check: mapping},
	"ingress":        {standard: false, check: flag},
	"ingress_port":   {standard: 8099, check: between(1, 65535)},
	"ingress_entry":  {standard: "/", check: text},
	"ingress_stream": {standard: false, check: flag},
	"panel_icon":     {standard: "mdi:puzzle", check: matching(`^mdi:[a-z0-9-]+$`)},
	"panel_title":    {check: text},
	"panel_admin":    {standard: true, check: flag},

	"hassio_api":        {standard: false, check: flag},
	"hassio_role":       {standard: "default", check: oneOf("default", "homeassistant", "backup", "manager", "admin")},
	"homeassistant_api": {standard: false, check: flag},
	"auth_api":          {standard: false, check: flag},
	"uart":              {standard: false, check: flag},
	"usb":               {standard: false, check: flag},
	"udev":              {standard: false, check: flag},
	"apparmor":          {standard: true, check: flag},
	"host_network":      {standard: false, check: flag},

	"services":          {check: listOf(matching(`^(mqtt|mysql):(provide|want|need)$`))},
	"discovery":         {check: listOf(text)},
	"map":               {check: listOf(matching(`^(app_config|homeassistant_config|ssl|share|media|backup|local_apps|all_app_configs):(ro|rw)$`))},
	"environment":       {check: mapping},
	"options":           {check: mapping},
	"schema":            {check: mapping},
	"image":             {check: matching(`^[a-z0-9./_{}-]+$`)},
	"backup":            {standard: "hot", check: oneOf("hot", "cold")},
	"backup_pre":        {check: text},
	"backup_post":       {check: text},
	"backup_exclude":    {check: listOf(text)},
	"timeout":           {standard: 10, check: between(10, 300)},
	"breaking_versions": {check: listOf(text)},
}

func TestManifestKeys(t *testing.T) {
	for _, wrong := range checkManifest(manifest(t)) {
		t.Error(wrong)
	}
}

// checkManifest returns a sentence for each mistake. Supervisor itself removes unknown
// keys without a word.
func checkManifest(m map[string]any) []string {
	var wrong []string
	for key, value := range m {
		r, known := manifestRules[key]
		if !known {
			wrong = append(wrong, key+": Supervisor knows no such key")
			continue
		}
		if err := r.check(value); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", key, err))
		}
		if r.standard != nil && reflect.DeepEqual(value, r.standard) {
			wrong = append(wrong, fmt.Sprintf("%s: %v is the default; leave it out", key, value))
		}
	}
	for key, r := range manifestRules {
		if _, given := m[key]; r.required && !given {
			wrong = append(wrong, key+": is missing")
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestManifestMistakesAreFound(t *testing.T) {
	for key, value := range map[string]any{
		"panel_titel": "x", "timeout": 301, "ingress_port": 8099, "init": true, "arch": []any{"armv7"},
		"stage": "beta", "version": "1.0", "map": []any{"addon_config:rw"}, "services": []any{"mqtt"}, "hassio_api": "yes",
	} {
		m := manifest(t)
		m[key] = value
		if wrong := checkManifest(m); len(wrong) != 1 || !strings.HasPrefix(wrong[0], key+":") {
			t.Errorf("%s: %v gave %q", key, value, wrong)
		}
	}
	if wrong := checkManifest(map[string]any{}); len(wrong) != 5 {
		t.Errorf("an empty manifest: %q", wrong)
	}
}

// What follows from one key for another.
func TestManifestFitsTogether(t *testing.T) {
	m := manifest(t)
	if m["init"] != false {
		t.Error("s6-overlay must be process 1: init: false")
	}
	if m["ingress"] != true || m["webui"] != nil || m["ports"] != nil {
		t.Error("the page is reached through ingress alone")
	}
	if m["backup_pre"] != "/usr/bin/z2mha backup prepare" || m["backup_post"] != "/usr/bin/z2mha backup done" {
		t.Error("the hooks of the backup are not ours")
	}
	if !slices.Contains(m["services"].([]any), any("mqtt:want")) {
		t.Error("a broker elsewhere must do: services: mqtt:want")
	}
	for _, key := range []string{"privileged", "full_access", "docker_api", "host_network", "hassio_role", "uart"} {
		if m[key] != nil {
			t.Errorf("%s is asked for, and nothing needs it", key)
		}
	}
}

// The time until a stop becomes a kill covers what its comment says it covers.
func TestTimeoutCoversThePlan(t *testing.T) {
	limit := time.Duration(manifest(t)["timeout"].(int)) * time.Second
	p := plan.Switchover("home", "attic", "cellar", nil, plan.DefaultTiming())
	var begun bool
	var end time.Duration
	for _, s := range p.Steps {
		if s.Budget > limit {
			t.Errorf("step %s may take %v, a stop waits for %v", s.ID, s.Budget, limit)
		}
		begun = begun || s.Act == plan.ActStart
		if begun && s.Dark {
			end += s.Budget
		}
	}
	if end == 0 || end > limit {
		t.Errorf("start and proof may take %v, a stop waits for %v", end, limit)
	}
}

func text(v any) error {
	if s, ok := v.(string); !ok || s == "" {
		return fmt.Errorf("%v is no text", v)
	}
	return nil
}

func flag(v any) error {
	if _, ok := v.(bool); !ok {
		return fmt.Errorf("%v is neither true nor false", v)
	}
	return nil
}

func mapping(v any) error {
	if _, ok := v.(map[string]any); !ok {
		return fmt.Errorf("%v is no mapping", v)
	}
	return nil
}

func between(low, high int) func(any) error {
	return func(v any) error {
		if n, ok := v.(int); !ok || n < low || n > high {
			return fmt.Errorf("%v is not between %d and %d", v, low, high)
		}
		return nil
	}
}

func matching(pattern string) func(any) error {
	re := regexp.MustCompile(pattern)
	return func(v any) error {
		if s, ok := v.(string); !ok || !re.MatchString(s) {
			return fmt.Errorf("%v does not match %s", v, pattern)
		}
		return nil
	}
}

func oneOf(values ...string) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); !ok || !slices.Contains(values, s) {
			return fmt.Errorf("%v is none of %s", v, strings.Join(values, ", "))
		}
		return nil
	}
}

func listOf(check func(any) error) func(any) error {
	return func(v any) error {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return fmt.Errorf("%v is no list, or an empty one", v)
		}
		for _, x := range list {
			if err := check(x); err != nil {
				return err
			}
		}
		return nil
	}
}
