package netbackup

import (
	"strings"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// A revision turns a stick's memory into what a backup says.
type revision struct {
	img    *nvimage.Image
	before keys                   // of the memory as it was
	index  map[zigbee.IEEE]uint16 // of every address that the address manager holds
	want   []wanted
	seed   zigbee.Key
	seeds  bool // the stick keeps a seed at all
}

// A wanted device is one of the backup, with the key that is right for it.
type wanted struct {
	Device
	keep bool // the backup is wrong about its key: what it has stays
}

func newRevision(img *nvimage.Image, b *Backup) *revision {
	r := &revision{img: img, before: keysOf(img), index: make(map[zigbee.IEEE]uint16)}
	for _, i := range img.Entries(nvimage.AddrMgr) {
		a, ok := img.Address(i)
		if _, twice := r.index[a.IEEE]; ok && !twice {
			r.index[a.IEEE] = i
		}
	}
	r.seed, r.seeds = img.Seed()
	if r.seeds && b.Seed != nil {
		r.seed = *b.Seed
	}
	r.want = r.righted(b.Devices)
	if strings.HasPrefix(b.Source, herdsman) {
		r.keepUntold()
	}
	return r
}

// righted undoes Zigbee2MQTT's mistake with gaps in the address manager: a key that does
// not follow from the seed, and is in the memory another device's, is that device's
// still. The device that was given it keeps what it has.
func (r *revision) righted(devices []Device) []wanted {
	owner := make(map[zigbee.Key]zigbee.IEEE)
	for _, i := range r.img.Entries(nvimage.AddrMgr) {
		a, used := r.img.Address(i)
		k, has := r.before.own[i]
		if _, twice := owner[k.Key]; used && has && !twice {
			owner[k.Key] = a.IEEE
		}
	}
	returned := make(map[zigbee.IEEE]*LinkKey)
	out := make([]wanted, len(devices))
	for i, d := range devices {
		out[i].Device = d
		if d.LinkKey == nil || r.isSeeded(d) {
			continue
		}
		if whose, known := owner[d.LinkKey.Key]; known && whose != d.IEEE {
			returned[whose] = d.LinkKey
			out[i].LinkKey, out[i].keep = nil, true
		}
	}
	for i, d := range out {
		if k, ok := returned[d.IEEE]; ok {
			out[i].LinkKey, out[i].keep = k, false
		}
	}
	return out
}

// herdsman is how the source of Zigbee2MQTT's own backups begins.
const herdsman = "zigbee-herdsman@"

// keepUntold undoes the other half of that mistake: Zigbee2MQTT tells of no key at all
// that it would give to an entry behind the last. A key which does not follow from the
// seed, and is nowhere in its backup, stays with a device that is still there.
func (r *revision) keepUntold() {
	told := make(map[zigbee.Key]bool)
	for _, d := range r.want {
		if d.LinkKey != nil {
			told[d.LinkKey.Key] = true
		}
	}
	for i, d := range r.want {
		index, known := r.index[d.IEEE]
		k, has := r.before.own[index]
		if known && has && !told[k.Key] && (d.LinkKey == nil || r.isSeeded(d.Device)) {
			r.want[i].keep = true
		}
	}
}

// isSeeded says that the device's key follows from the seed.
func (r *revision) isSeeded(d Device) bool {
	if d.LinkKey == nil || !r.seeds {
		return false
	}
	_, ok := nvimage.ShiftOf(r.seed, d.IEEE, d.LinkKey.Key)
	return ok
}

// network writes what the backup says beside the devices and counters.
func (r *revision) network(b *Backup) error {
	var channels uint32
	for _, c := range b.ChannelMask {
		channels |= 1 << c
	}
	id := b.identity
	if err := r.img.PutChannel(id.Channel, channels, id.UpdateID); err != nil {
		return err
	}
	r.img.PutKey(id.Key, id.KeySeq)
	if old, _ := r.img.Seed(); r.seeds && old != r.seed {
		r.reseed()
	}
	return nil
}

// reseed replaces the seed. Whatever followed from the old one means nothing any more.
func (r *revision) reseed() {
	r.img.PutSeed(r.seed)
	following := make(map[zigbee.IEEE]bool)
	for _, d := range r.want {
		following[d.IEEE] = r.isSeeded(d.Device)
	}
	for _, sub := range r.img.Entries(nvimage.TclkTable) {
		if k, ok := r.img.SeededKey(sub); ok && !following[k.IEEE] {
			r.img.Erase(nvimage.TclkTable, sub)
		}
	}
}

// devices makes room first, so that a full table is full of devices of the backup.
func (r *revision) devices() error {
	here := make(map[zigbee.IEEE]bool)
	for _, d := range r.want {
		here[d.IEEE] = true
	}
	for _, i := range r.img.Entries(nvimage.AddrMgr) {
		a, ok := r.img.Address(i)
		if ok && a.User&(nvimage.UserChild|nvimage.UserSecurity) != 0 && !here[a.IEEE] {
			r.remove(i, a)
		}
	}
	for _, d := range r.want {
		r.makeRoom(d)
	}
	for _, d := range r.want {
		if err := r.put(d); err != nil {
			return err
		}
	}
	return nil
}

// remove takes a device out of every table. Its address stays only where the stack keeps
// it for a purpose of its own.
func (r *revision) remove(index uint16, a nvimage.Address) {
	r.dropOwnKey(index)
	r.dropSeededKey(a.IEEE)
	r.img.ForgetAddress(index)
	delete(r.index, a.IEEE)
	if a.User &^= nvimage.UserChild | nvimage.UserSecurity | nvimage.UserBinding; a.User != 0 {
		r.img.PutAddress(index, a)
		r.index[a.IEEE] = index
		return
	}
	r.img.Erase(nvimage.AddrMgr, index)
}

// makeRoom drops the key that a device had where it has another kind of key now, or none.
// A seeded key beside one of its own stays, for the backup tells of one only.
func (r *revision) makeRoom(d wanted) {
	if d.keep {
		return
	}
	if i, known := r.index[d.IEEE]; known && (d.LinkKey == nil || r.isSeeded(d.Device)) {
		r.dropOwnKey(i)
	}
	if d.LinkKey == nil {
		r.dropSeededKey(d.IEEE)
	}
}

func (r *revision) put(d wanted) error {
	index, err := r.address(d)
	if err != nil || d.LinkKey == nil {
		return err
	}
	key := *d.LinkKey
	if had := r.before.of(index, d.IEEE); had != nil && had.Key == key.Key {
		key.Tx = max(key.Tx, had.Tx)
	}
	if r.isSeeded(d.Device) {
		return r.putSeeded(d.IEEE, key)
	}
	return r.putOwn(index, d.IEEE, key)
}

// address brings the device's entry up to date, or gives it one.
func (r *revision) address(d wanted) (uint16, error) {
	index, known := r.index[d.IEEE]
	if !known {
		free, ok := r.img.Free(nvimage.AddrMgr)
		if !ok {
			return 0, r.full(nvimage.AddrMgr, d.IEEE)
		}
		index = free
		r.index[d.IEEE] = index
	}
	was, _ := r.img.Address(index)
	if !known {
		was = nvimage.Address{Nwk: nvimage.NoNwk}
	}
	now := nvimage.Address{User: r.user(d, was.User), Nwk: was.Nwk, IEEE: d.IEEE}
	if d.NwkKnown {
		now.Nwk = d.Nwk
	}
	r.img.PutAddress(index, now)
	if known {
		r.child(index, was, now)
	}
	return index, nil
}

// user is what the device's entry is used for. One that is neither a child nor has a key
// that can be found is in a backup for its security bit only.
func (r *revision) user(d wanted, was uint8) uint8 {
	user := was &^ (nvimage.UserChild | nvimage.UserSecurity)
	if d.Child {
		user |= nvimage.UserChild
	}
	index := r.index[d.IEEE]
	keyless := d.keep || r.before.of(index, d.IEEE) == nil // then the bit said nothing of a key that is gone
	if d.LinkKey != nil || !d.Child || keyless && was&nvimage.UserSecurity != 0 {
		user |= nvimage.UserSecurity
	}
	return user
}

// child keeps a child's row true.
func (r *revision) child(index uint16, was, now nvimage.Address) {
	switch {
	case now.User&nvimage.UserChild == 0 && was.User&nvimage.UserChild != 0:
		r.img.ForgetChild(index)
	case now.Nwk != was.Nwk:
		r.img.RenameChild(index, now.Nwk)
	}
}

func (r *revision) putSeeded(device zigbee.IEEE, key LinkKey) error {
	shift, _ := nvimage.ShiftOf(r.seed, device, key.Key)
	now := nvimage.SeededKey{Tx: key.Tx, Rx: key.Rx, IEEE: device, Attributes: nvimage.KeyVerified, Shift: shift}
	for _, sub := range r.img.Entries(nvimage.TclkTable) {
		was, ok := r.img.SeededKey(sub)
		if !ok || was.IEEE != device {
			continue
		}
		now.Tx = max(now.Tx, was.Tx)
		if nvimage.DeriveKey(r.seed, device, was.Shift) == key.Key {
			now.Shift = was.Shift
			now.Attributes = attributes(was, key)
		}
		r.img.PutSeededKey(sub, now)
		return nil
	}
	sub, ok := r.img.Free(nvimage.TclkTable)
	if !ok {
		return r.full(nvimage.TclkTable, device)
	}
	r.img.PutSeededKey(sub, now)
	return nil
}

// attributes of a key that was there before: the backup tells of them only in that the
// stack counts what it receives under a verified key alone.
func attributes(was nvimage.SeededKey, now LinkKey) uint8 {
	if now.Rx > was.Rx {
		return nvimage.KeyVerified
	}
	return was.Attributes
}

func (r *revision) putOwn(index uint16, device zigbee.IEEE, key LinkKey) error {
	now := nvimage.APSKey{Key: key.Key, Tx: key.Tx, Rx: key.Rx}
	links, slots := r.img.APSLinks()
	taken := make(map[int]bool)
	for _, l := range links {
		was, ok := r.img.APSKey(l.Key)
		switch {
		case l.Address != index:
			taken[l.Slot] = true
		case ok:
			now.Tx = max(now.Tx, was.Tx)
			r.img.PutAPSKey(l.Key, now)
			return nil
		default:
			r.img.FreeAPSLink(l.Slot) // it leads to no key
		}
	}
	sub, ok := r.img.Free(nvimage.ApsKeyDataTable)
	if !ok {
		return r.full(nvimage.ApsKeyDataTable, device)
	}
	for slot := range slots {
		if !taken[slot] {
			r.img.PutAPSKey(sub, now)
			r.img.PutAPSLink(nvimage.APSLink{Slot: slot, Address: index, Key: sub})
			return nil
		}
	}
	return &FullError{Table: nvimage.OSAL(nvimage.ApsLinkKeyTable).String(), Size: slots, Device: device}
}

func (r *revision) dropOwnKey(index uint16) {
	links, _ := r.img.APSLinks()
	shared := make(map[uint16]int)
	for _, l := range links {
		shared[l.Key]++
	}
	for _, l := range links {
		if l.Address != index {
			continue
		}
		r.img.FreeAPSLink(l.Slot)
		if shared[l.Key]--; shared[l.Key] == 0 && r.has(nvimage.ApsKeyDataTable, l.Key) {
			r.img.Erase(nvimage.ApsKeyDataTable, l.Key)
		}
	}
}

func (r *revision) dropSeededKey(device zigbee.IEEE) {
	for _, sub := range r.img.Entries(nvimage.TclkTable) {
		if k, ok := r.img.SeededKey(sub); ok && k.IEEE == device {
			r.img.Erase(nvimage.TclkTable, sub)
		}
	}
}

func (r *revision) has(table, index uint16) bool {
	_, ok := r.img.Get(nvimage.Entry(table, index))
	return ok
}

func (r *revision) full(table uint16, device zigbee.IEEE) error {
	return &FullError{Table: nvimage.TableName(table), Size: len(r.img.Entries(table)), Device: device}
}
