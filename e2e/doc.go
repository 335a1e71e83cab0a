// Package e2e holds the tests that put everything together: the built z2mha, real
// mosquitto, sshd and Zigbee2MQTT, and emulated sticks and devices on one emulated
// radio. What a machine lacks is skipped by name; with CI=true that is a failure.
package e2e
