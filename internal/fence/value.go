package fence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// An Expectation is what a confirmation must say when the power is gone.
type Expectation struct {
	// Key is where in a JSON answer it stands, dotted: "switch.0.output"; "" means that the
	// whole answer is it.
	Key  string
	Text string // blanks around it do not count, nor whether letters are capitals
}

// met compares an answer, and says what it holds in a few words.
func (e Expectation) met(answer []byte) (off bool, says string, err error) {
	text := strings.TrimSpace(string(answer))
	if e.Key != "" {
		if text, err = valueAt(answer, e.Key); err != nil {
			return false, "", err
		}
	}
	return strings.EqualFold(text, strings.TrimSpace(e.Text)), e.words(text), nil
}

// longestWords is how much of an answer is shown: it may be a whole page.
const longestWords = 60

func (e Expectation) words(text string) string {
	if len(text) > longestWords {
		text = text[:longestWords] + "…"
	}
	if e.Key != "" {
		return fmt.Sprintf("%s is %s", e.Key, text)
	}
	return strconv.Quote(text)
}

// valueAt finds a value in a JSON answer.
func valueAt(answer []byte, key string) (string, error) {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("the answer is no JSON")
	}
	for _, name := range strings.Split(key, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(x) {
				return "", fmt.Errorf("the answer has no %s", key)
			}
			v = x[i]
		default:
			return "", fmt.Errorf("the answer has no %s", key)
		}
	}
	switch x := v.(type) {
	case nil:
		return "", fmt.Errorf("the answer has no %s", key)
	case map[string]any, []any:
		return "", fmt.Errorf("%s in the answer is no single value", key)
	default:
		return fmt.Sprint(x), nil
	}
}
