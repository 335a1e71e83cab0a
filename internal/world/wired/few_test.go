//go:build race

package wired_test

// stories are how many each run of the tests lives under the race detector, which makes
// them slow.
const stories = 20
