//go:build !race

package sim_test

// stories are how many each run of the tests lives.
const stories = 10_000
