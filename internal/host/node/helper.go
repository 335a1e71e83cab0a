package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
)

// helper is znp-helper on one host, under a name made of its hash. It is checked
// when a connection is new, and put there, or replaced, when it is not the one we
// were built with.
type helper struct {
	conn   *remote.Conn
	dir    string
	binary func(machine string) ([]byte, error)
	turn   chan struct{} // holds a token while nobody checks

	mu     sync.Mutex
	path   string // "" until the machine is known
	number int    // of the connection over which it was checked
}

func newHelper(conn *remote.Conn, cfg Config) *helper {
	h := &helper{conn: conn, dir: path.Clean(cfg.HelperDir), binary: cfg.Helper, turn: make(chan struct{}, 1)}
	h.turn <- struct{}{}
	return h
}

// place is where the helper lies on the host, or a name like it.
func (h *helper) place() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.path == "" {
		return path.Join(h.dir, "znp-helper")
	}
	return h.path
}

// ready returns the path of a helper that was checked over the present connection, and
// the number of that.
func (h *helper) ready(ctx context.Context) (path string, number int, err error) {
	number, err = h.conn.Connect(ctx)
	if err != nil {
		return "", 0, err
	}
	select {
	case <-h.turn:
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
	defer func() { h.turn <- struct{}{} }()
	if p, ok := h.checked(number); ok {
		return p, number, nil
	}
	p, err := h.prepare(ctx)
	if err != nil {
		return "", 0, fmt.Errorf("helper on %s: %w", h.conn.Address(), err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.path, h.number = p, number
	return p, number, nil
}

func (h *helper) checked(number int) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.path, h.path != "" && h.number == number
}

func (h *helper) prepare(ctx context.Context) (string, error) {
	out, err := h.conn.Check(ctx, remote.Command{Argv: []string{"uname", "-m"}})
	if err != nil {
		return "", err
	}
	machine := strings.TrimSpace(string(out.Stdout))
	binary, err := h.binary(machine)
	if err != nil {
		return "", fmt.Errorf("machine %q: %w", machine, err)
	}
	digest := sha256.Sum256(binary)
	sum := hex.EncodeToString(digest[:])
	target := path.Join(h.dir, "znp-helper-"+sum[:16])
	same, err := h.holds(ctx, target, sum)
	if err != nil {
		return "", err
	}
	if !same {
		if err := h.replace(ctx, target, binary, sum); err != nil {
			return "", err
		}
	}
	return target, h.starts(ctx, target)
}

// holds compares what lies on the host, read there, with the hash it should have.
func (h *helper) holds(ctx context.Context, target, sum string) (bool, error) {
	out, err := h.conn.Run(ctx, remote.Command{Argv: []string{"sha256sum", target}, Become: true})
	switch {
	case err != nil:
		return false, err
	case out.Exit == 127:
		return false, &network.RefusedError{What: "check the helper", Why: "the host has no sha256sum",
			Remedy: "install coreutils or busybox there"}
	}
	got, _, _ := strings.Cut(string(out.Stdout), " ")
	return out.Exit == 0 && strings.TrimPrefix(got, `\`) == sum, nil
}

// replace puts the helper on the host and reads it back.
func (h *helper) replace(ctx context.Context, target string, binary []byte, sum string) error {
	put := h.putAsUser
	if h.conn.Become() != remote.BecomeNone {
		put = h.putAsRoot
	}
	if err := put(ctx, target, binary); err != nil {
		return h.explain(ctx, err, len(binary))
	}
	same, err := h.holds(ctx, target, sum)
	if err == nil && !same {
		err = h.explain(ctx, fmt.Errorf("%s does not hold what was sent", target), len(binary))
	}
	return err
}

func (h *helper) putAsUser(ctx context.Context, target string, binary []byte) error {
	part := target + ".part"
	if _, err := h.conn.Check(ctx, remote.Command{Argv: []string{"mkdir", "-p", h.dir}}); err != nil {
		return err
	}
	if err := h.conn.Upload(ctx, part, binary, 0o755); err != nil {
		return errors.Join(err, h.remove(ctx, part))
	}
	_, err := h.conn.Check(ctx, remote.Command{Argv: []string{"mv", "-f", part, target}})
	return err
}

// putAsRoot goes through a file of the user's own into a directory that only root
// can write: what runs as root must not be in the user's hands.
func (h *helper) putAsRoot(ctx context.Context, target string, binary []byte) error {
	out, err := h.conn.Check(ctx, remote.Command{Argv: []string{"mktemp", "/tmp/znp-helper.XXXXXX"}})
	if err != nil {
		return err
	}
	temp := strings.TrimSpace(string(out.Stdout))
	err = h.conn.Upload(ctx, temp, binary, 0o600)
	for _, argv := range [][]string{
		{"install", "-d", "-m", "0755", h.dir},
		{"install", "-m", "0755", temp, target},
	} {
		if err == nil {
			_, err = h.conn.Check(ctx, remote.Command{Argv: argv, Become: true})
		}
	}
	return errors.Join(err, h.remove(ctx, temp))
}

func (h *helper) remove(ctx context.Context, file string) error {
	_, err := h.conn.Check(ctx, remote.Command{Argv: []string{"rm", "-f", file}})
	return err
}

// starts runs the helper once. A file system that is mounted noexec, or a program
// for another machine, shows here and not in the middle of an act.
func (h *helper) starts(ctx context.Context, target string) error {
	argv := append([]string{target}, helperapi.VersionArgs{}.Argv()...)
	out, err := h.conn.Run(ctx, remote.Command{Argv: argv, Become: true})
	if err != nil {
		return err
	}
	if out.Exit != 0 {
		return &network.RefusedError{
			What: "start " + target, Why: out.Said(),
			Remedy: "set helper_dir to a directory on a file system that is not mounted noexec",
		}
	}
	v, err := helperapi.Result[helperapi.VersionResult](out.Stdout)
	if err == nil && v.API != helperapi.Version {
		err = fmt.Errorf("it speaks version %d, we speak %d", v.API, helperapi.Version)
	}
	return err
}

// explain finds out why the helper could not be put on the host.
func (h *helper) explain(ctx context.Context, err error, size int) error {
	refused := &network.RefusedError{What: "put the helper into " + h.dir}
	text := err.Error()
	switch {
	case h.isFull(ctx, text, size, refused):
	case strings.Contains(text, "Read-only file system"):
		refused.Why, refused.Remedy = "the file system is read-only", "set helper_dir to a directory that can be written"
	case strings.Contains(strings.ToLower(text), "permission denied"):
		refused.Why = h.conn.User() + " may not write there"
		refused.Remedy = "set become: sudo or doas, or helper_dir to a directory of the user's own"
	default:
		return err
	}
	return refused
}

// isFull looks for room in the nearest directory that exists.
func (h *helper) isFull(ctx context.Context, text string, size int, refused *network.RefusedError) bool {
	full := strings.Contains(strings.ToLower(text), "no space left on device")
	q := remote.Quote(h.dir)
	out, err := h.conn.Run(ctx, remote.Command{
		Shell: "d=" + q + `; while ! [ -d "$d" ]; do d=$(dirname "$d"); done; df -Pk "$d"`,
	})
	free, known := freeKiB(string(out.Stdout))
	if err == nil && known && free < int64(size)>>10 {
		full = true
	}
	if full {
		refused.Why = fmt.Sprintf("the disk is full: %d bytes are needed, %d are free", size, free<<10)
		refused.Remedy = "make room there or set helper_dir to another disk"
	}
	return full
}

// freeKiB reads the fourth column of the last line of df -Pk.
func freeKiB(df string) (int64, bool) {
	lines := strings.Split(strings.TrimSpace(df), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) < 4 {
		return 0, false
	}
	free, err := strconv.ParseInt(fields[3], 10, 64)
	return free, err == nil
}
