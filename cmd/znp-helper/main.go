// Command znp-helper reads, writes and silences a Z-Stack coordinator stick, and
// replaces Zigbee2MQTT's data directory; see "znp-helper help".
package main

import (
	"os"

	"z2mha/internal/host/helper"
)

func main() { os.Exit(helper.Main(helper.OSEnv(), os.Args[1:])) }
