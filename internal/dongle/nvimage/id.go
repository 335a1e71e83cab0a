package nvimage

import (
	"cmp"
	"fmt"
	"strings"
)

// An ID names one item of NVINTF system 1 (ZSTACK). Item 0 holds the OSAL items,
// Sub being the OSAL id; items 1 to 7 are tables, Sub being the index.
type ID struct{ Item, Sub uint16 }

// The tables of system 1.
const (
	AddrMgr             uint16 = 1
	BindingTable        uint16 = 2
	DeviceList          uint16 = 3
	TclkTable           uint16 = 4
	TclkIcTable         uint16 = 5
	ApsKeyDataTable     uint16 = 6
	NwkSecMaterialTable uint16 = 7
)

// MaxSub is the highest id or index that the stick's store can hold. OSAL ids above
// it are asked for by other tools, and never exist.
const MaxSub uint16 = 0x3FF

// tableNames are the sections of a dump after LEGACY, by table item.
var tableNames = [...]string{
	AddrMgr:             "ADDRMGR",
	BindingTable:        "BINDING_TABLE",
	DeviceList:          "DEVICE_LIST",
	TclkTable:           "TCLK_TABLE",
	TclkIcTable:         "TCLK_IC_TABLE",
	ApsKeyDataTable:     "APS_KEY_DATA_TABLE",
	NwkSecMaterialTable: "NWK_SEC_MATERIAL_TABLE",
}

// OSAL is the ID of an OSAL item.
func OSAL(id uint16) ID { return ID{Sub: id} }

// Entry is the ID of one entry of a table.
func Entry(table, index uint16) ID { return ID{Item: table, Sub: index} }

// Tables are the table items in dump order.
func Tables() []uint16 {
	return []uint16{AddrMgr, BindingTable, DeviceList, TclkTable, TclkIcTable, ApsKeyDataTable, NwkSecMaterialTable}
}

// TableName is the name of a table's section in a dump, "" for an unknown table.
func TableName(table uint16) string {
	if table == 0 || int(table) >= len(tableNames) {
		return ""
	}
	return tableNames[table]
}

// IsOSAL says that the item belongs to the OSAL ids, not to a table.
func (id ID) IsOSAL() bool { return id.Item == 0 }

// Known says that a dump has a name for the item.
func (id ID) Known() bool {
	if id.IsOSAL() {
		_, ok := osalOrder[id.Sub]
		return ok
	}
	return TableName(id.Item) != "" && id.Sub <= MaxSub
}

// String names the item for people: "NIB (0x0021)", "TCLK_TABLE[12]".
func (id ID) String() string {
	switch {
	case !id.Known():
		return fmt.Sprintf("item %d/0x%04x", id.Item, id.Sub)
	case id.IsOSAL():
		return fmt.Sprintf("%s (0x%04X)", osalKey(id.Sub), id.Sub)
	}
	return fmt.Sprintf("%s[%d]", TableName(id.Item), id.Sub)
}

// compare orders items as a dump does; items that a dump cannot hold come last.
func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.rank(), other.rank()), cmp.Compare(id.Item, other.Item), cmp.Compare(id.Sub, other.Sub))
}

// rank is the position among the OSAL items, or behind them all.
func (id ID) rank() int {
	switch {
	case !id.Known():
		return len(osalOrder) + 1
	case id.IsOSAL():
		return osalOrder[id.Sub]
	}
	return len(osalOrder)
}

// A legacyTable is a range of OSAL ids that older stacks used as a table. The end
// id is no member: a dump holds it under its own name.
type legacyTable struct {
	start, end uint16
	name       string // of the start id
}

// legacyTables and osalOrder follow from osalNames: a START id opens a range that
// its END closes, and the members in between take their place right after START.
var (
	legacyTables = findLegacyTables()
	osalOrder    = orderOSAL()
	osalKeys     = keysOSAL()
	osalByName   = indexNames()
)

func findLegacyTables() []legacyTable {
	var out []legacyTable
	for i, n := range osalNames {
		if strings.HasSuffix(n.name, "_START") {
			out = append(out, legacyTable{start: n.id, end: osalNames[i+1].id, name: n.name})
		}
	}
	return out
}

func orderOSAL() map[uint16]int {
	order := make(map[uint16]int)
	for _, n := range osalNames {
		order[n.id] = len(order)
		if t, ok := legacyTableOf(n.id); ok {
			for id := t.start + 1; id < t.end; id++ {
				order[id] = len(order)
			}
		}
	}
	return order
}

func keysOSAL() map[uint16]string {
	keys := make(map[uint16]string, len(osalOrder))
	for id := range osalOrder {
		keys[id] = osalKey(id)
	}
	return keys
}

func indexNames() map[string]uint16 {
	byName := make(map[string]uint16, len(osalOrder))
	for id, key := range osalKeys {
		byName[key] = id
	}
	return byName
}

// osalKey is the member name of an OSAL id in a dump: its own name, or that of the
// table's start with the offset, "LEGACY_TCLK_TABLE_START+0".
func osalKey(id uint16) string {
	if t, ok := legacyTableOf(id); ok {
		return fmt.Sprintf("%s+%d", t.name, id-t.start)
	}
	for _, n := range osalNames {
		if n.id == id {
			return n.name
		}
	}
	return ""
}

func legacyTableOf(id uint16) (legacyTable, bool) {
	for _, t := range legacyTables {
		if t.start <= id && id < t.end {
			return t, true
		}
	}
	return legacyTable{}, false
}

// OSALIDs are the 142 OSAL items to read, in dump order. An id for which
// LegacyTable returns a range opens a table: read its members from the start on,
// stop at the first absent one, then go on with the next id of this list (the
// range's end, which is an item of its own).
func OSALIDs() []ID {
	ids := make([]ID, len(osalNames))
	for i, n := range osalNames {
		ids[i] = OSAL(n.id)
	}
	return ids
}

// LegacyTable returns the members of the old-style table that starts at id, the
// start included; nil when id starts none.
func LegacyTable(id ID) []ID {
	t, ok := legacyTableOf(id.Sub)
	if !ok || !id.IsOSAL() || t.start != id.Sub {
		return nil
	}
	members := make([]ID, 0, t.end-t.start)
	for sub := t.start; sub < t.end; sub++ {
		members = append(members, OSAL(sub))
	}
	return members
}
