//go:build race

package sim_test

// stories are how many each run of the tests lives under the race detector, which makes
// them some fifteen times slower.
const stories = 300
