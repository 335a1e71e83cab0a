package port

// What the tests look at from outside the package.
var (
	DescribeBelow   = describeBelow
	ParseSocketAddr = parseSocketAddr
)

// ParseLock returns the parts of a line of /proc/locks.
func ParseLock(line string) (pid int, dev, inode uint64, ok bool) {
	l, ok := parseLock(line)
	return l.pid, l.dev, l.inode, ok
}

// HoldersIn is Holders of a device by what a folder shows instead of /proc.
func HoldersIn(folder, address string) ([]Holder, error) {
	d, err := statDevice(address)
	if err != nil {
		return nil, err
	}
	return procfs(folder).deviceHolders(d, nobody)
}
