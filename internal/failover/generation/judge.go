package generation

import (
	"fmt"
	"slices"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// Files that the guards weigh by their size. The second is the copy that Zigbee2MQTT
// makes just before it empties the first.
const (
	databaseFile = "database.db"
	rescueFile   = "database.db.backup"
)

// fewNames is how many devices are named before "and 7 more".
const fewNames = 3

// Judge says why after must not replace before on a stand-by: it tells of another
// network, or of less than was there. left are the devices that were seen to leave
// since before. nil when all is well. before may be the zero Generation, for a first
// capture; then only what is wrong with after by itself is found.
//
// What one of the two does not tell is not compared. A device that is new, renamed or
// gone with a leave is no reason, and neither is anything in other files.
func Judge(before, after Generation, left []zigbee.IEEE) []string {
	was, is := before.Summary, after.Summary
	out := identity(was, is)
	if why := emptied(before, after, left); why != "" {
		return append(out, why)
	}
	out = append(out, vanished(was, is, left)...)
	out = append(out, fallen(was, is)...)
	out = append(out, hollowed(before, after)...)
	return append(out, unbacked(was, is)...)
}

// identity names how the network itself differs. The key is a fingerprint.
func identity(was, is Summary) []string {
	var out []string
	diff := func(what, was, is string) {
		if was != "" && is != "" && was != is {
			out = append(out, fmt.Sprintf("%s was %s and is %s", what, was, is))
		}
	}
	diff("PAN id", was.PanID, is.PanID)
	diff("extended PAN id", was.ExtPanID, is.ExtPanID)
	diff("network key", was.KeyFingerprint, is.KeyFingerprint)
	diff("coordinator address", was.Coordinator, is.Coordinator)
	diff("channel", channel(was), channel(is))
	return out
}

func channel(s Summary) string {
	if s.Channel == 0 {
		return ""
	}
	return fmt.Sprint(s.Channel)
}

// emptied finds a database without devices that should have some: a start on a stick of
// another network leaves that, and no error. Such a database stays refused until a
// person takes it; then it is before, and no news any more.
func emptied(before, after Generation, left []zigbee.IEEE) string {
	was, is := before.Summary, after.Summary
	if is.Devices > 0 {
		return ""
	}
	signs := signsOfDevices(after)
	switch {
	case was.Devices > len(goneWithLeave(was, left)):
		signs = append([]string{fmt.Sprintf("there were %d", was.Devices)}, signs...)
	case was.Devices > 0 || len(signs) == 0 || before.Number > 0:
		return ""
	}
	return "database.db holds no device (" + strings.Join(signs, "; ") + "): a start on another stick empties it"
}

// signsOfDevices is what the rest of a capture says of devices that database.db lacks.
func signsOfDevices(g Generation) []string {
	var out []string
	if n := g.Summary.Named; n > 0 {
		out = append(out, fmt.Sprintf("configuration.yaml names %d", n))
	}
	if n := g.Summary.BackupKeys; n > 0 {
		out = append(out, fmt.Sprintf("coordinator_backup.json has the link keys of %d", n))
	}
	rescue, ok := g.File(rescueFile)
	if db, _ := g.File(databaseFile); ok && rescue.Size > db.Size {
		out = append(out, rescueFile+" is larger")
	}
	return out
}

// goneWithLeave are the devices of was that were seen to leave; without members, every
// leave is taken for one of them.
func goneWithLeave(was Summary, left []zigbee.IEEE) []zigbee.IEEE {
	if !was.listed() {
		return left
	}
	var out []zigbee.IEEE
	for _, m := range was.Members {
		if slices.Contains(left, m.IEEE) {
			out = append(out, m.IEEE)
		}
	}
	return out
}

// listed says that Members is all there is.
func (s Summary) listed() bool { return len(s.Members) > 0 || s.Devices == 0 }

// missing are the members of was that is does not have.
func missing(was, is Summary) []Member {
	now := is.byAddress()
	var out []Member
	for _, m := range was.Members {
		if _, ok := now[m.IEEE]; !ok {
			out = append(out, m)
		}
	}
	return out
}

func (s Summary) byAddress() map[zigbee.IEEE]Member {
	out := make(map[zigbee.IEEE]Member, len(s.Members))
	for _, m := range s.Members {
		out[m.IEEE] = m
	}
	return out
}

// vanished names the devices that went without a leave.
func vanished(was, is Summary, left []zigbee.IEEE) []string {
	if !was.listed() || !is.listed() {
		if is.Devices+len(left) >= was.Devices {
			return nil
		}
		return []string{fmt.Sprintf("%d of %d devices are left, and %d were seen to leave", is.Devices, was.Devices, len(left))}
	}
	gone := slices.DeleteFunc(missing(was, is), func(m Member) bool { return slices.Contains(left, m.IEEE) })
	if len(gone) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s went from database.db and %s not seen to leave", few(gone), plural(len(gone), "was", "were"))}
}

// few names the first devices and counts the rest.
func few(members []Member) string {
	var names []string
	for i, m := range members {
		if rest := len(members) - i; i == fewNames && rest > 1 {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", rest)
		}
		names = append(names, m.String())
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// fallen finds a frame counter that moved back under one key: the backup is of an older
// day, or of a stick that counts from the start.
func fallen(was, is Summary) []string {
	if was.BackupCounter == 0 || is.BackupCounter == 0 || is.BackupCounter >= was.BackupCounter || was.KeyFingerprint != is.KeyFingerprint {
		return nil
	}
	return []string{fmt.Sprintf("the frame counter in coordinator_backup.json fell from %d to %d", was.BackupCounter, is.BackupCounter)}
}

// hollowed finds entries that lost what they held. An entry keeps what a device told
// when it was interviewed, some 500 to 5000 bytes that hardly change while it stays; a
// database made anew has 150 a device. So with no device gone, half the size cannot be
// right. With one gone nothing is said: it may have been the largest.
func hollowed(before, after Generation) []string {
	was, okWas := before.File(databaseFile)
	is, okIs := after.File(databaseFile)
	gone := after.Summary.Devices < before.Summary.Devices || len(missing(before.Summary, after.Summary)) > 0 && after.Summary.listed()
	if !okWas || !okIs || gone || before.Summary.Devices == 0 || 2*is.Size >= was.Size {
		return nil
	}
	return []string{fmt.Sprintf("database.db shrank from %d to %d bytes although no device is gone", was.Size, is.Size)}
}

// unbacked finds devices that Zigbee2MQTT still has and whose link keys its backup of
// the stick lost: restored from that, they could not be talked to.
func unbacked(was, is Summary) []string {
	now := is.byAddress()
	var lost []Member
	for _, m := range was.Members {
		if n, ok := now[m.IEEE]; ok && m.LinkKey && !n.LinkKey {
			lost = append(lost, n)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("coordinator_backup.json no longer has the %s of %s", plural(len(lost), "link key", "link keys"), few(lost))}
}
