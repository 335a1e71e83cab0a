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
