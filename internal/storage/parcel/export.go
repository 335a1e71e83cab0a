package parcel

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
)

// Export returns a generation in another program's form. It is a secret. What the
// generation does not have is a *network.RefusedError.
func Export(s Shelf, g generation.Generation, form Form) ([]byte, error) {
	switch form {
	case Zip:
		return pack(s, g)
	case Dump:
		return image(s, g)
	case Backup:
		return coordinatorState(s, g)
	}
	panic("parcel: no such form: " + string(form))
}

func lacks(g generation.Generation, form Form, what string) error {
	return &network.RefusedError{What: fmt.Sprintf("export generation %d of %s as %s", g.Number, g.Network, form), Why: what,
		Remedy: "`z2mha shelf list` tells what each generation has"}
}

// pack makes the zip that Zigbee2MQTT would. Equal generations make equal zips.
func pack(s Shelf, g generation.Generation) ([]byte, error) {
	if len(g.Files) == 0 {
		return nil, lacks(g, Zip, "it has no data directory")
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range g.Files {
		content, err := contentOf(s, f.SHA256)
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", f.Path, err)
		}
		h := &zip.FileHeader{Name: f.Path, Method: zip.Deflate, Modified: g.At}
		h.SetMode(fs.FileMode(f.Mode).Perm())
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", f.Path, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return out.Bytes(), nil
}

// image is read back before it is handed out: it may go onto a stick.
func image(s Shelf, g generation.Generation) ([]byte, error) {
	if g.StickImage == "" {
		return nil, lacks(g, Dump, "the stick was not read for it")
	}
	content, err := contentOf(s, g.StickImage)
	if err != nil {
		return nil, fmt.Errorf("export the stick's memory: %w", err)
	}
	m, err := nvimage.Parse(content)
	if err != nil {
		return nil, fmt.Errorf("export the stick's memory: %w", err)
	}
	return m.Encode(), nil
}

// coordinatorState is the backup that Zigbee2MQTT made itself.
func coordinatorState(s Shelf, g generation.Generation) ([]byte, error) {
	f, ok := g.File(backupFile)
	if !ok {
		return nil, lacks(g, Backup, "it has no "+backupFile)
	}
	content, err := contentOf(s, f.SHA256)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", backupFile, err)
	}
	if _, err := netbackup.Parse(content); err != nil {
		return nil, fmt.Errorf("export %s: %w", backupFile, err)
	}
	return content, nil
}

func contentOf(s Shelf, hash string) ([]byte, error) {
	r, err := s.Open(hash)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
