package nvimage

// A Layout is the shape of an image: what must be equal on two sticks for the one's
// memory to make sense on the other.
type Layout struct {
	Counts   map[uint16]int // entries per table; a table that is not there is not in the map
	EntryLen map[uint16]int // bytes per entry, of the first one
	NIBLen   int            // 0 when absent
	// NwkKeyLen is the length of NWKKEY: 24 with aligned structures, 21 on a CC2531.
	NwkKeyLen int
	Items     map[ID]int // length of every OSAL item
}

// Layout measures the image.
func (m *Image) Layout() Layout {
	l := Layout{
		Counts:    make(map[uint16]int),
		EntryLen:  make(map[uint16]int),
		NIBLen:    len(m.items[OSAL(Nib)]),
		NwkKeyLen: len(m.items[OSAL(NwkKey)]),
		Items:     make(map[ID]int),
	}
	for id, v := range m.items {
		switch {
		case id.IsOSAL():
			l.Items[id] = len(v)
		default:
			l.Counts[id.Item]++
		}
	}
	for table := range l.Counts {
		l.EntryLen[table] = len(m.items[Entry(table, m.entries(table)[0])])
	}
	return l
}

// EntryLen is the length of a table's entries on Z-Stack 3.x.0 in bytes, 0 where it
// is not known (TCLK_IC_TABLE).
func EntryLen(table uint16) int {
	switch table {
	case AddrMgr, NwkSecMaterialTable:
		return 12
	case BindingTable:
		return 14
	case DeviceList:
		return 16
	case TclkTable:
		return 20
	case ApsKeyDataTable:
		return 24
	}
	return 0
}
