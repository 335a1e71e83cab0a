package nvimage

import (
	"fmt"
	"strings"
)

// A Fit relaxes CheckFit.
type Fit struct {
	// AnyRevision accepts an image of another firmware revision, or one whose
	// revision is not known. Everything else is still checked.
	AnyRevision bool
}

// A MisfitError lists all reasons why an image must not be loaded on a stick, each
// with what to do about it.
type MisfitError struct{ Problems []string }

func (e *MisfitError) Error() string {
	return "the image does not fit this stick: " + strings.Join(e.Problems, "; ")
}

// MaxValue is the longest value in bytes that one request can write.
const MaxValue = 244

// CheckFit compares the image want, read from the firmware from, with the stick it
// is to be loaded on: its firmware onto and its memory have. It returns nil or a
// *MisfitError with everything that does not fit. A zero from means that the image
// came without a note of its firmware.
//
// A table that only one side has is no misfit by itself: a stick makes ADDRMGR,
// BINDING_TABLE and DEVICE_LIST when it forms a network. On a stick without the flag
// of Zigbee2MQTT these may also be incomplete and items may be torn: that is what a
// load leaves that was cut off, and the next one must be able to complete it.
func CheckFit(want *Image, from Stick, have *Image, onto Stick, f Fit) error {
	c := &fitCheck{want: want, have: have, wantLayout: want.Layout(), haveLayout: have.Layout()}
	c.firmware(from, onto, f)
	c.itemLengths()
	c.tables()
	c.startup()
	if len(c.problems) > 0 {
		return &MisfitError{Problems: c.problems}
	}
	return nil
}

type fitCheck struct {
	want, have             *Image
	wantLayout, haveLayout Layout
	problems               []string
}

func (c *fitCheck) add(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// productZStack3 is the only stack whose memory is laid out as this package knows it.
const productZStack3 = 1

func (c *fitCheck) firmware(from, onto Stick, f Fit) {
	fromProductKnown := from.Major != 0 // a stick always answers 2
	switch {
	case onto.Product != productZStack3:
		c.add("the stick runs %s; only Z-Stack 3.x.0 can be loaded: flash a Z-Stack 3.x.0 firmware", onto)
	case fromProductKnown && from.Product != onto.Product:
		c.add("the image is of %s, the stick runs %s: flash the same firmware, or let Zigbee2MQTT restore coordinator_backup.json", from, onto)
	case f.AnyRevision:
	case from.Revision == 0:
		c.add("the image does not say which firmware it was read from: name its revision (--from-revision), or accept any (--any-revision)")
	case from.Revision != onto.Revision:
		c.add("the image is of revision %d, the stick runs %d: flash the same revision on both, or accept any (--any-revision)", from.Revision, onto.Revision)
	}
}

// itemLens are the items whose length this package relies on.
var itemLens = []struct {
	id     uint16
	length int
}{
	{HasConfiguredZStack3, 1}, {ExtAddr, ieeeLen}, {StartupOption, 1}, {Nib, nibLen},
	{NwkActiveKeyInfo, keyInfoLen}, {NwkAlternKeyInfo, keyInfoLen}, {BdbNodeIsOnANetwork, 1},
	{PrecfgKey, 16}, {NwkKey, nwkKeyLen}, {LogicalType, 1}, {TclkSeed, 16},
}

func (c *fitCheck) itemLengths() {
	for _, item := range itemLens {
		id := OSAL(item.id)
		if n, ok := c.wantLayout.Items[id]; ok && n != item.length {
			c.add("%v has %d bytes in the image, Z-Stack 3.x.0 has %d: the image was edited, or is of another firmware", id, n, item.length)
		}
	}
	links := OSAL(ApsLinkKeyTable)
	w, h := c.wantLayout.Items[links], c.haveLayout.Items[links]
	if w != 0 && h != 0 && w != h && c.have.Configured() {
		c.add("%v has %d bytes in the image, %d on the stick: the firmwares differ in table sizes, flash the same one on both", links, w, h)
	}
	for _, id := range c.want.IDs() {
		if n := len(c.want.items[id]); n > MaxValue {
			c.add("%v has %d bytes, at most %d can be written", id, n, MaxValue)
		}
	}
}

func (c *fitCheck) tables() {
	for _, table := range Tables() {
		name := TableName(table)
		w, h := c.wantLayout.Counts[table], c.haveLayout.Counts[table]
		if w != 0 && h != 0 && w != h && !c.unfinished(table) {
			c.add("%s has %d entries in the image, %d on the stick: the firmwares differ in table sizes, flash the same one on both", name, w, h)
		}
		if w == 0 && h != 0 && alwaysThere(table) {
			c.add("%s is not in the image but has %d entries on the stick: the image is incomplete, read it again", name, h)
		}
		c.entryLengths(table)
	}
}

// unfinished says that the stick holds only the beginning of a table because a load
// was cut off. The stack never makes part of a table itself.
func (c *fitCheck) unfinished(table uint16) bool {
	return !c.have.Configured() && !alwaysThere(table) && c.haveLayout.Counts[table] < c.wantLayout.Counts[table]
}

// alwaysThere says that the stack makes the table at its first start.
func alwaysThere(table uint16) bool {
	return table == TclkTable || table == ApsKeyDataTable || table == NwkSecMaterialTable
}

// entryLengths wants all entries of the image as long as the stick's, or as long as
// the stack is known to make them.
func (c *fitCheck) entryLengths(table uint16) {
	length, where := EntryLen(table), "Z-Stack 3.x.0 has"
	if n := c.haveLayout.EntryLen[table]; n != 0 && (length == 0 || c.have.Configured()) {
		length, where = n, "the stick has"
	}
	if length == 0 {
		length, where = c.wantLayout.EntryLen[table], "its first entry has"
	}
	for _, sub := range c.want.entries(table) {
		if n := len(c.want.items[Entry(table, sub)]); n != length {
			c.add("%v has %d bytes in the image, %s %d: the image was edited, or is of another firmware", Entry(table, sub), n, where, length)
			return
		}
	}
}

// clearsAtStart are the bits of STARTUP_OPTION that make the stack forget.
const clearsAtStart byte = 0x03

func (c *fitCheck) startup() {
	if v, ok := c.want.byteAt(OSAL(StartupOption), 0); ok && v&clearsAtStart != 0 && c.want.OnNetwork() {
		c.add("%v is 0x%02x: the stick would clear the network at its next start; set it to 00", OSAL(StartupOption), v)
	}
}
