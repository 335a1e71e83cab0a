package z2m

import (
	"errors"

	"z2mha/internal/failover/generation"
)

// Check is described in check.go.
func Check(get Files, list []string) (generation.Summary, error) {
	return generation.Summary{}, errors.New("not there yet")
}

// Merge is described in merge.go.
func Merge(in MergeInput) (MergeOutput, error) { return MergeOutput{}, errors.New("not there yet") }
