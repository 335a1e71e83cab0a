package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"z2mha/internal/failover/engine"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
	"z2mha/internal/z2m"
	"z2mha/internal/z2m/yamledit"
)

// maxText is the size up to which a configuration or secret file is believed.
const maxText = 16 << 20

// files opens a file session as root, served by the helper.
func (n *Node) files(ctx context.Context, readOnly bool) (*remote.Files, error) {
	helper, _, err := n.helper.ready(ctx)
	if err != nil {
		return nil, err
	}
	return n.conn.SFTP(ctx, filesArgv(helper, readOnly))
}

// listStaged lists and hashes all that would be promoted.
func (n *Node) listStaged(ctx context.Context, own []string) (helperapi.ManifestResult, error) {
	return callOnce[helperapi.ManifestResult](ctx, n, n.stagedCall(own))
}

// below gives z2m the files of a directory on the host.
func below(files *remote.Files, dir string) z2m.Files {
	return func(name string) ([]byte, error) {
		f, err := files.Open(path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fs.ErrNotExist
		}
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", path.Join(dir, name), err)
		}
		defer f.Close()
		return readText(f, path.Join(dir, name))
	}
}

// remembered asks for each file once.
func remembered(get z2m.Files) z2m.Files {
	type answer struct {
		raw []byte
		err error
	}
	known := map[string]answer{}
	return func(name string) ([]byte, error) {
		a, ok := known[name]
		if !ok {
			a.raw, a.err = get(name)
			known[name] = a
		}
		return a.raw, a.err
	}
}

func readText(r io.Reader, name string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err == nil && len(raw) > maxText {
		err = fmt.Errorf("larger than %d MiB", maxText>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return raw, nil
}

// inDepot gives z2m the files of a capture, by the hash of each path.
func inDepot(depot engine.Depot, hashes map[string]string) z2m.Files {
	return func(name string) ([]byte, error) {
		hash, ok := hashes[path.Clean(name)]
		if !ok {
			return nil, fs.ErrNotExist
		}
		r, err := depot.Open(hash)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		defer r.Close()
		return readText(r, name)
	}
}

// logDirectory is where Zigbee2MQTT logs inside its data directory, relative to it;
// "" when that is elsewhere, or in log, which nobody copies anyway.
func logDirectory(get z2m.Files, data string) string {
	raw, err := get(z2m.ConfigurationFile)
	if err != nil {
		return ""
	}
	doc, err := yamledit.Parse(raw)
	if err != nil {
		return ""
	}
	node := yamledit.Lookup(doc.Root(), "advanced", "log_directory")
	if node == nil {
		return ""
	}
	fixed, _, _ := strings.Cut(node.Value, "%TIMESTAMP%")
	inside, ok := strings.CutPrefix(path.Clean(fixed), strings.TrimSuffix(data, "/")+"/")
	if !ok {
		return ""
	}
	return inside
}

// pattern selects dir from the root, whatever characters are in its name.
func pattern(dir string) string {
	return "/" + strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// without leaves out dir and what is below it.
func without(m helperapi.ManifestResult, dir string) helperapi.ManifestResult {
	if dir == "" {
		return m
	}
	inside := func(name string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
	m.Files = slices.DeleteFunc(m.Files, func(f helperapi.File) bool { return inside(f.Path) })
	m.Changing = slices.DeleteFunc(m.Changing, inside)
	m.Stable = m.Stable || len(m.Changing) == 0
	return m
}
