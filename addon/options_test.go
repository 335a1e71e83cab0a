package addon_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"z2mha/addon"
)

// The types that a field of the schema may have. Source: supervisor/apps/options.py.
var elementForm = regexp.MustCompile(`^(?:(bool|email|url|port|device(?:\(subsystem=[a-z]+\))?)` +
	`|(str|password)(?:\((\d*),(\d*)\))?|(int|float)(?:\((-?[\d.]*),(-?[\d.]*)\))?|match\((.*)\)|list\((.+)\))(\?)?$`)

// checkOption says why value does not satisfy a schema; missing is nil.
func checkOption(schema, value any) error {
	switch s := schema.(type) {
	case string:
		return checkScalar(s, value)
	case map[string]any:
		return checkMapping(s, value)
	case []any:
		return checkList(s, value)
	}
	return fmt.Errorf("%v is no schema", schema)
}

func checkMapping(schema map[string]any, value any) error {
	m, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("want a mapping, which is required even when all in it is optional; got %v", value)
	}
	for key := range m {
		if _, known := schema[key]; !known {
			return fmt.Errorf("%s is in no schema", key)
		}
	}
	for key, element := range schema {
		if err := checkOption(element, m[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func checkList(schema []any, value any) error {
	if len(schema) != 1 {
		return fmt.Errorf("a list has one kind of element, not %d", len(schema))
	}
	list, ok := value.([]any)
	element, scalar := schema[0].(string)
	if value == nil && scalar && strings.HasSuffix(element, "?") {
		return nil
	}
	if !ok {
		return fmt.Errorf("want a list, got %v", value)
	}
	for _, x := range list {
		if err := checkOption(schema[0], x); err != nil {
			return err
		}
	}
	return nil
}

func checkScalar(schema string, value any) error {
	form := elementForm.FindStringSubmatch(schema)
	if form == nil {
		return fmt.Errorf("%q is no type of the schema", schema)
	}
	if value == nil {
		if form[10] == "" {
			return fmt.Errorf("is missing")
		}
		return nil
	}
	printed := fmt.Sprint(value)
	switch {
	case form[8] != "":
		if ok, err := regexp.MatchString(form[8], printed); err != nil || !ok {
			return fmt.Errorf("%v does not match %s (%v)", value, form[8], err)
		}
	case form[9] != "":
		if !slices.Contains(strings.Split(form[9], "|"), printed) {
			return fmt.Errorf("%v is none of %s", value, form[9])
		}
	case form[1] == "bool":
		return flag(value)
	case form[1] == "port" || form[5] != "":
		if _, err := strconv.ParseFloat(printed, 64); err != nil {
			return fmt.Errorf("%v is no number", value)
		}
	default:
		return text(value)
	}
	return nil
}

func TestDefaultOptionsSatisfyTheSchema(t *testing.T) {
	m := manifest(t)
	if err := checkOption(m["schema"], m["options"]); err != nil {
		t.Error(err)
	}
}

func TestOptionsOfUsers(t *testing.T) {
	schema := manifest(t)["schema"]
	for _, tt := range []struct {
		name    string
		options map[string]any
		good    bool
	}{
		{"nothing but the mapping that is always there", map[string]any{"mqtt": map[string]any{}}, true},
		{"everything", map[string]any{"log_level": "debug", "language": "de", "mqtt": map[string]any{
			"server": "mqtts://broker.example:8883", "user": "u", "password": "p", "ca": "/ssl/ca.pem"}}, true},
		{"an unknown level", map[string]any{"log_level": "loud", "mqtt": map[string]any{}}, false},
		{"an unknown language", map[string]any{"language": "fr", "mqtt": map[string]any{}}, false},
		{"a server without scheme", map[string]any{"mqtt": map[string]any{"server": "192.0.2.5"}}, false},
		{"a server of another kind", map[string]any{"mqtt": map[string]any{"server": "http://192.0.2.5"}}, false},
		{"an unknown key", map[string]any{"mqtt": map[string]any{"host": "192.0.2.5"}}, false},
		{"no mapping", map[string]any{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := checkOption(schema, tt.options); (err == nil) != tt.good {
				t.Errorf("%v", err)
			}
		})
	}
}

// A description is what a form needs for one option, or one field of it.
type description struct {
	Name        string                 `yaml:"name"`
	Description string                 `yaml:"description"`
	Fields      map[string]description `yaml:"fields"`
}

func TestTranslations(t *testing.T) {
	schema := manifest(t)["schema"].(map[string]any)
	want := keysOf("", schema)
	texts := map[string][]string{}
	for _, language := range []string{"en", "de", "es"} {
		got := translation(t, language)
		if diff := cmp.Diff(want, describedKeys("", got)); diff != "" {
			t.Errorf("%s describes other options than the schema has (-schema +described):\n%s", language, diff)
		}
		texts[language] = describedTexts(t, language, "", got)
	}
	if slices.Equal(texts["en"], texts["de"]) || slices.Equal(texts["en"], texts["es"]) {
		t.Error("a translation is the English text")
	}
	files, err := addon.Documents.ReadDir("translations")
	if err != nil || len(files) != len(texts) {
		t.Errorf("%d translations, %v; want en, de and es", len(files), err)
	}
}

func translation(t testing.TB, language string) map[string]description {
	t.Helper()
	b, err := addon.Documents.ReadFile("translations/" + language + ".yaml")
	must(t, err)
	var file struct {
		Configuration map[string]description `yaml:"configuration"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(b)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("%s: %v", language, err)
	}
	return file.Configuration
}

// The languages on offer are those that there are texts in.
func TestLanguagesAreTranslated(t *testing.T) {
	form := elementForm.FindStringSubmatch(manifest(t)["schema"].(map[string]any)["language"].(string))
	for _, language := range strings.Split(form[9], "|") {
		translation(t, language)
	}
}

func keysOf(prefix string, schema map[string]any) []string {
	var out []string
	for key, element := range schema {
		out = append(out, prefix+key)
		if fields, ok := element.(map[string]any); ok {
			out = append(out, keysOf(prefix+key+".", fields)...)
		}
	}
	slices.Sort(out)
	return out
}

func describedKeys(prefix string, d map[string]description) []string {
	var out []string
	for key, x := range d {
		out = append(out, prefix+key)
		out = append(out, describedKeys(prefix+key+".", x.Fields)...)
	}
	slices.Sort(out)
	return out
}

func describedTexts(t testing.TB, language, prefix string, d map[string]description) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(d)) {
		x := d[key]
		if x.Name == "" || !strings.HasSuffix(x.Description, ".") {
			t.Errorf("%s: %s%s needs a name and a description that ends with a full stop", language, prefix, key)
		}
		out = append(out, x.Description)
		out = append(out, describedTexts(t, language, prefix+key+".", x.Fields)...)
	}
	return out
}

// Every option is explained in the document too.
func TestDocumentNamesEveryOption(t *testing.T) {
	b, err := addon.Documents.ReadFile("DOCS.md")
	must(t, err)
	for _, key := range keysOf("", manifest(t)["schema"].(map[string]any)) {
		if key != "mqtt" && !strings.Contains(string(b), "`"+key+"`") {
			t.Errorf("DOCS.md says nothing of `%s`", key)
		}
	}
}
