package snmp

import "flag"

// Update says that golden files are to be rewritten.
var Update = flag.Bool("update", false, "rewrite the golden files")

// What the tests with real programs need to know.
const (
	MIBDir  = mibDir
	MIBFile = mibFile
)

// OIDs are the numbers of everything that is sent, by the MIB's names.
func OIDs() map[string]string { return oids() }
