package yamledit

import (
	"fmt"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is what a node says: map[string]any, []any or a scalar.
func Value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[KeyName(n.Content[i])] = Value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, child := range n.Content {
			s[i] = Value(child)
		}
		return s
	default:
		return scalar(n)
	}
}

func scalar(n *yaml.Node) any {
	var v any
	if err := n.Decode(&v); err != nil {
		return n.Value
	}
	return v
}

// KeyName is a key as JavaScript sees it: always a string, numbers in decimal.
func KeyName(key *yaml.Node) string {
	if key.Tag != "!!int" {
		return key.Value
	}
	return fmt.Sprint(scalar(key))
}

// Equal says whether two values mean the same to a reader of the file.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalMaps(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && equalLists(a, b)
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.IsNaN(a) && math.IsNaN(b))
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return kind(a) == kind(b) && fmt.Sprint(a) == fmt.Sprint(b)
}

func equalMaps(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

func equalLists(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// kind names a scalar's type; all sizes of integers are one.
func kind(v any) string {
	k := fmt.Sprintf("%T", v)
	if strings.HasPrefix(k, "int") || strings.HasPrefix(k, "uint") {
		return "int"
	}
	return k
}

// Lookup returns the value at path below n, nil when there is none.
func Lookup(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		i := index(n, key)
		if i < 0 {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

// index is the position of a key in a mapping's Content, -1 when it has none.
func index(n *yaml.Node, key string) int {
	if n == nil || n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if KeyName(n.Content[i]) == key {
			return i
		}
	}
	return -1
}
