// Package z2mtest runs a real Zigbee2MQTT with a real broker on emulated sticks, for
// the test in this folder. Zigbee2MQTT's folder is taken from Z2MHA_ZIGBEE2MQTT, or is
// the one that make test-deps fills in the user's cache.
package z2mtest
