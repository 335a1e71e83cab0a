package z2m

import (
	"fmt"
	"iter"
	"slices"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/z2m/yamledit"
)

// pairs yields the keys and values of a mapping.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// place puts value at path below n and makes the groups on the way.
func place(n *yaml.Node, path []string, value *yaml.Node) error {
	for i, key := range path {
		if n.Kind != yaml.MappingNode {
			if n.Tag != "!!null" {
				return fmt.Errorf("%s is a single value, not a group of keys", path[max(i-1, 0)])
			}
			*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		next := yamledit.Lookup(n, key)
		if next == nil {
			next = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, next)
		}
		n = next
	}
	*n = *value
	return nil
}

// remove takes the key at path away, if it is there.
func remove(n *yaml.Node, path []string) {
	last := len(path) - 1
	around := yamledit.Lookup(n, path[:last]...)
	if around == nil || around.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(around.Content); i += 2 {
		if yamledit.KeyName(around.Content[i]) == path[last] {
			around.Content = slices.Delete(around.Content, i, i+2)
			return
		}
	}
}
