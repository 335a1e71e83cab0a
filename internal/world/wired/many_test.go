//go:build !race

package wired_test

// stories are how many each run of the tests lives.
const stories = 100
