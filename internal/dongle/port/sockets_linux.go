package port

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// established is the state of a live connection in /proc/net/tcp.
const established = "01"

// tcpHolders finds the processes with a connection to address. Every network name space
// has a table of its own, so a container's is read as well.
func tcpHolders(address string, skip int) ([]Holder, error) {
	remotes, err := resolve(address)
	if err != nil {
		return nil, err
	}
	tables := map[string]bool{} // name spaces whose table has been read
	sockets := map[string]bool{}
	pids, err := proc.pids()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		dir := proc.ofPID(pid, "")
		space, err := os.Readlink(filepath.Join(dir, "ns", "net"))
		if err != nil || tables[space] {
			continue
		}
		// One that ends just now shows nothing; then another one of its name space does.
		tables[space] = connections(filepath.Join(dir, "net", "tcp"), remotes, sockets)
		connections(filepath.Join(dir, "net", "tcp6"), remotes, sockets)
	}
	return socketHolders(sockets, skip)
}

// socketHolders finds the processes that own one of the sockets.
func socketHolders(sockets map[string]bool, skip int) ([]Holder, error) {
	return proc.eachProcess(skip, func(pid int) (*Holder, error) {
		held := false
		err := proc.eachDescriptor(pid, func(_, target string) { held = held || sockets[target] })
		if !held {
			return nil, err
		}
		return &Holder{PID: pid, Command: proc.commandOf(pid)}, nil
	})
}

// resolve returns every address and port that address may stand for.
func resolve(address string) (map[netip.AddrPort]bool, error) {
	hostPort, err := parseTCP(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	host, service, _ := net.SplitHostPort(hostPort)
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	remotes := map[netip.AddrPort]bool{}
	for _, ip := range ips {
		remotes[netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(number))] = true
	}
	return remotes, nil
}

// connections adds the sockets of one table that are connected to one of the remotes,
// by the name their descriptors link to. It returns false when it could not be read.
func connections(table string, remotes map[netip.AddrPort]bool, sockets map[string]bool) bool {
	f, err := os.Open(table)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != established {
			continue
		}
		if remote, ok := parseSocketAddr(fields[2]); ok && remotes[remote] {
			sockets["socket:["+fields[9]+"]"] = true
		}
	}
	return lines.Err() == nil
}

// parseSocketAddr reads an address such as 0100007F:19EE: words of 32 bits in the
// machine's own order, and the port as a plain number.
func parseSocketAddr(s string) (netip.AddrPort, bool) {
	addr, port, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	b, err := hex.DecodeString(addr)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.BigEndian.PutUint32(w, binary.NativeEndian.Uint32(w))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok
}
