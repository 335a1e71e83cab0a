package backup

import "time"

// A Place tells a directory from its copies.
type Place struct {
	Inode uint64    `json:"inode"`
	Born  time.Time `json:"born,omitzero"` // zero where the file system does not know
}

// A likeness is how two places compare.
type likeness int

const (
	differs likeness = iota
	maybe            // inode numbers are given again, and no time of birth is known
	equal
)

func (p Place) compare(q Place) likeness {
	switch {
	case p.Inode == 0 || q.Inode == 0:
		return maybe // from a damaged file
	case p.Inode != q.Inode:
		return differs
	case p.Born.IsZero() || q.Born.IsZero():
		return maybe
	case p.Born.Equal(q.Born):
		return equal
	}
	return differs
}
