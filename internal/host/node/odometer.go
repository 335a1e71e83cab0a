package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"z2mha/internal/failover/odometer"
	"z2mha/internal/host/remote"
)

// DefaultState is where a host that names no other place keeps copies of odometers. It
// is also where the helper, run as root, keeps its records.
const DefaultState = "/var/lib/z2mha"

// odometerFormat tells a copy from any other JSON.
const odometerFormat = "z2mha odometer 1"

// An odometerCopy is what lies on the node.
type odometerCopy struct {
	Format   string            `json:"format"`
	Network  string            `json:"network"`
	Odometer odometer.Odometer `json:"odometer"`
}

// KeepOdometer puts a copy of the network's odometer beside the helper's records: a new
// file that takes the old one's place, read back.
func (n *Node) KeepOdometer(ctx context.Context, network string, o odometer.Odometer) error {
	return n.wrap("keep the odometer", n.keepOdometer(ctx, network, o))
}

func (n *Node) keepOdometer(ctx context.Context, network string, o odometer.Odometer) error {
	target, err := n.odometerFile(network)
	if err != nil {
		return err
	}
	want, err := json.MarshalIndent(odometerCopy{odometerFormat, network, o}, "", "  ")
	if err != nil {
		return err
	}
	files, err := n.files(ctx, false)
	if err != nil {
		return err
	}
	defer files.Close()
	if err := files.MkdirAll(path.Dir(target)); err != nil {
		return fmt.Errorf("make %s: %w", path.Dir(target), err)
	}
	if err := replaceFile(files, target, want); err != nil {
		return err
	}
	have, err := readSmall(files, target)
	if err == nil && !bytes.Equal(have, want) {
		err = fmt.Errorf("%s does not hold what was written", target)
	}
	return err
}

// replaceFile writes beside target and renames. The helper's file service cannot sync: a
// host that loses its power at once may lose the copy, which then is damaged or gone.
func replaceFile(files *remote.Files, target string, content []byte) error {
	part := target + ".tmp"
	w, err := files.Create(part)
	if err != nil {
		return fmt.Errorf("create %s: %w", part, err)
	}
	_, err = w.Write(content)
	if err = errors.Join(err, w.Chmod(0o600), w.Close()); err != nil {
		return fmt.Errorf("write %s: %w", part, err)
	}
	return files.PosixRename(part, target)
}

// Odometer reads the node's copy. Without one it returns the zero Odometer.
func (n *Node) Odometer(ctx context.Context, network string) (odometer.Odometer, error) {
	o, err := n.odometer(ctx, network)
	return o, n.wrap("read the copy of the odometer", err)
}

func (n *Node) odometer(ctx context.Context, network string) (odometer.Odometer, error) {
	target, err := n.odometerFile(network)
	if err != nil {
		return odometer.Odometer{}, err
	}
	files, err := n.files(ctx, true)
	if err != nil {
		return odometer.Odometer{}, err
	}
	defer files.Close()
	raw, err := readSmall(files, target)
	if errors.Is(err, fs.ErrNotExist) {
		return odometer.Odometer{}, nil
	}
	if err != nil {
		return odometer.Odometer{}, err
	}
	var c odometerCopy
	err = json.Unmarshal(raw, &c)
	if err == nil && (c.Format != odometerFormat || c.Network != network) {
		err = fmt.Errorf("it is not that of network %s", network)
	}
	if err != nil {
		return odometer.Odometer{}, fmt.Errorf("%s is damaged: %w", target, err)
	}
	return c.Odometer, nil
}

// readSmall reads a file that is about 10 kB at most.
func readSmall(files *remote.Files, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return raw, nil
}

// odometerFile refuses a name that would lead elsewhere.
func (n *Node) odometerFile(network string) (string, error) {
	if network == "" || strings.ContainsAny(network, "/\x00") || strings.HasPrefix(network, ".") {
		return "", fmt.Errorf("network name %q cannot name a file", network)
	}
	state := n.cfg.State
	orDefault(&state, DefaultState)
	return path.Join(state, "odometer", network+".json"), nil
}
