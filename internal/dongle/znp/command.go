package znp

import (
	"fmt"
	"strings"

	"z2mha/internal/dongle/unpi"
)

// A command is a request's subsystem and id.
type command struct {
	sub unpi.Subsystem
	id  byte
}

var (
	sysResetReq      = command{unpi.SYS, 0x00}
	sysPing          = command{unpi.SYS, 0x01}
	sysVersion       = command{unpi.SYS, 0x02}
	sysGetExtAddr    = command{unpi.SYS, 0x04}
	sysOSALItemInit  = command{unpi.SYS, 0x07}
	sysOSALRead      = command{unpi.SYS, 0x08}
	sysOSALWrite     = command{unpi.SYS, 0x09}
	sysOSALDelete    = command{unpi.SYS, 0x12}
	sysOSALLength    = command{unpi.SYS, 0x13}
	sysOSALReadExt   = command{unpi.SYS, 0x1C}
	sysOSALWriteExt  = command{unpi.SYS, 0x1D}
	sysNVCreate      = command{unpi.SYS, 0x30}
	sysNVDelete      = command{unpi.SYS, 0x31}
	sysNVLength      = command{unpi.SYS, 0x32}
	sysNVRead        = command{unpi.SYS, 0x33}
	sysNVWrite       = command{unpi.SYS, 0x34}
	sysNVUpdate      = command{unpi.SYS, 0x35}
	sysResetInd      = command{unpi.SYS, 0x80}
	utilDeviceInfo   = command{unpi.UTIL, 0x00}
	utilNVInfo       = command{unpi.UTIL, 0x01}
	zdoNwkDiscovery  = command{unpi.ZDO, 0x26}
	zdoExtNwkInfo    = command{unpi.ZDO, 0x50}
	appSetInstallKey = command{unpi.APPCNF, 0x04}
	appSetActiveKey  = command{unpi.APPCNF, 0x07}
)

var commandNames = map[command]string{
	sysResetReq:      "SYS_RESET_REQ",
	sysPing:          "SYS_PING",
	sysVersion:       "SYS_VERSION",
	sysGetExtAddr:    "SYS_GET_EXTADDR",
	sysOSALItemInit:  "SYS_OSAL_NV_ITEM_INIT",
	sysOSALRead:      "SYS_OSAL_NV_READ",
	sysOSALWrite:     "SYS_OSAL_NV_WRITE",
	sysOSALDelete:    "SYS_OSAL_NV_DELETE",
	sysOSALLength:    "SYS_OSAL_NV_LENGTH",
	sysOSALReadExt:   "SYS_OSAL_NV_READ_EXT",
	sysOSALWriteExt:  "SYS_OSAL_NV_WRITE_EXT",
	sysNVCreate:      "SYS_NV_CREATE",
	sysNVDelete:      "SYS_NV_DELETE",
	sysNVLength:      "SYS_NV_LENGTH",
	sysNVRead:        "SYS_NV_READ",
	sysNVWrite:       "SYS_NV_WRITE",
	sysNVUpdate:      "SYS_NV_UPDATE",
	sysResetInd:      "SYS_RESET_IND",
	utilDeviceInfo:   "UTIL_GET_DEVICE_INFO",
	utilNVInfo:       "UTIL_GET_NV_INFO",
	zdoNwkDiscovery:  "ZDO_NWK_DISCOVERY_REQ",
	zdoExtNwkInfo:    "ZDO_EXT_NWK_INFO",
	appSetInstallKey: "APP_CNF_BDB_ADD_INSTALLCODE",
	appSetActiveKey:  "APP_CNF_BDB_SET_ACTIVE_DEFAULT_CENTRALIZED_KEY",
}

func (c command) String() string {
	if name, ok := commandNames[c]; ok {
		return name
	}
	return fmt.Sprintf("command %#02x/%#02x", byte(c.sub), c.id)
}

// CommandName is TI's name of a command, or its numbers where this package has no
// name for it.
func CommandName(sub unpi.Subsystem, id byte) string { return command{sub, id}.String() }

// statusName says in words what a status means. The NV_* commands answer with codes
// of the NV driver, all others with those of MT: 0x0A is "not found" in the one
// family and "operation failed" in the other.
func statusName(commandName string, status byte) string {
	names := mtStatus
	if strings.HasPrefix(commandName, "SYS_NV_") {
		names = nvStatus
	}
	if name, ok := names[status]; ok {
		return name
	}
	return "unknown status"
}

var mtStatus = map[byte]string{
	0x00: "success",
	0x01: "failure",
	0x02: "invalid parameter",
	0x09: "no such item",
	0x0A: "NV operation failed",
	0x0C: "wrong item length",
	0x10: "out of memory",
	0xB8: "duplicate entry",
	0xC2: "invalid request",
	0xCD: "no route",
	0xE1: "channel access failure",
	0xE9: "no acknowledgement",
	0xF0: "transaction expired",
}

var nvStatus = map[byte]string{
	0:  "success",
	1:  "failure",
	2:  "NV is corrupt",
	3:  "NV is not ready",
	4:  "bad parameter",
	5:  "bad length",
	6:  "bad offset",
	7:  "bad item id",
	8:  "bad sub id",
	9:  "bad system id",
	10: "not found",
	11: "supply voltage too low to write",
	12: "bad version",
	13: "item exists",
}
