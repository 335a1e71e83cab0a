package znp

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"slices"

	"z2mha/internal/dongle/unpi"
)

// show hands a frame, already masked, to the log and the trace.
func (c *Client) show(dir Direction, masked unpi.Frame) {
	if c.log.Enabled(context.Background(), slog.LevelDebug) {
		c.log.Debug("znp frame", "dir", string(dir), "frame", masked.String(),
			"command", CommandName(masked.Subsystem, masked.ID), "data", hex.EncodeToString(masked.Data))
	}
	if c.trace != nil {
		c.tracing.Lock()
		defer c.tracing.Unlock()
		c.trace(dir, masked)
	}
}

// secretCommands carry keys by themselves; the number is how many bytes at the start
// of request and answer are none.
var secretCommands = map[command]int{
	utilNVInfo:        16,
	{unpi.UTIL, 0x05}: 0, // SET_PRECFGKEY
	{unpi.UTIL, 0x44}: 0, // APSME_LINK_KEY_DATA_GET
	{unpi.SAPI, 0x04}: 0, // ZB_READ_CONFIGURATION
	{unpi.SAPI, 0x05}: 0, // ZB_WRITE_CONFIGURATION
	{unpi.ZDO, 0x23}:  0, // SET_LINK_KEY
	{unpi.ZDO, 0x25}:  0, // GET_LINK_KEY
	appSetInstallKey:  0,
	appSetActiveKey:   0,
}

// writes are the commands that carry an item's value, and where the value begins.
var writes = map[command]int{
	sysOSALItemInit: 5,
	sysOSALWrite:    4,
	sysOSALWriteExt: 6,
	sysNVWrite:      8,
	sysNVUpdate:     6,
}

// reads are the commands whose answer carries an item's value, after status and length.
var reads = []command{sysOSALRead, sysOSALReadExt, sysNVRead}

// mask returns f with every byte overwritten that may belong to a key. It judges f by
// itself; for answers see maskAnswer.
func mask(f unpi.Frame) unpi.Frame {
	cmd := command{f.Subsystem, f.ID}
	if clear, ok := secretCommands[cmd]; ok {
		return maskFrom(f, clear)
	}
	if at, ok := writes[cmd]; ok && concernsKey(f) {
		return maskFrom(f, at)
	}
	return f
}

// maskAnswer masks an answer by what p asked for. The answer to a read does not name
// its item, so one that nobody asked for is always masked.
func maskAnswer(f unpi.Frame, p *call) unpi.Frame {
	if slices.Contains(reads, command{f.Subsystem, f.ID}) && (p == nil || concernsKey(p.request)) {
		return maskFrom(f, 2)
	}
	return mask(f)
}

func maskFrom(f unpi.Frame, at int) unpi.Frame {
	f.Data = slices.Clone(f.Data)
	for i := at; i < len(f.Data); i++ {
		f.Data[i] = '*'
	}
	return f
}

// concernsKey reports whether an NV request is about an item that holds keys, or from
// which keys are made. A request too short to tell counts as one.
func concernsKey(request unpi.Frame) bool {
	d := request.Data
	if request.ID < sysNVCreate.id {
		return len(d) < 2 || isKeyOSAL(binary.LittleEndian.Uint16(d))
	}
	if len(d) < 5 {
		return true
	}
	item, sub := binary.LittleEndian.Uint16(d[1:]), binary.LittleEndian.Uint16(d[3:])
	if item == 0 {
		return isKeyOSAL(sub)
	}
	return item == 4 || item == 5 || item == 6 // TCLK_TABLE, TCLK_IC_TABLE, APS_KEY_DATA_TABLE
}

// isKeyOSAL reports whether an OSAL item holds key material.
func isKeyOSAL(id uint16) bool {
	switch id {
	case 0x003A, 0x003B, 0x0062, 0x0082, 0x0101, // the items in use on Z-Stack 3.x.0
		0x0068, 0x006A, 0x0070, 0x0073, // distributed key, private keys, random seed
		0x00C2, 0x00C3, 0x00C5, 0x00D1, 0x00D2, 0x00D3: // commissioning attribute sets
		return true
	}
	return 0x0102 <= id && id <= 0x02FF // legacy link-key tables
}
