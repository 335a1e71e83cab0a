package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// An owner is who an entry belongs to and what they may do.
type owner struct {
	Path string `json:"path"` // slash-separated, "." for the directory itself
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Mode uint32 `json:"mode"`
	Dir  bool   `json:"dir,omitempty"`
}

func ownerOf(path string) (owner, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return owner{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return owner{UID: int(st.Uid), GID: int(st.Gid), Mode: uint32(info.Mode().Perm()), Dir: info.IsDir()}, nil
}

// targetOwners says whom everything in staging shall belong to once it is the data
// directory: what exists there keeps owner and mode, what is new gets the owner of
// the data directory and its mode from staging. Directories come before what is in
// them. Entries that stay with the host are left out.
func targetOwners(staging, data string, local Patterns) ([]owner, error) {
	root, err := ownerOf(data)
	if err != nil {
		return nil, fmt.Errorf("look at the data directory: %w", err)
	}
	return owners(staging, local, func(name string, staged owner) owner {
		old, err := ownerOf(filepath.Join(data, name))
		if err == nil && old.Dir == staged.Dir {
			return old
		}
		return owner{UID: root.UID, GID: root.GID, Mode: staged.Mode}
	})
}

// ownOwners lists everything below dir as it is.
func ownOwners(dir string, local Patterns) ([]owner, error) {
	return owners(dir, local, func(_ string, own owner) owner { return own })
}

func owners(dir string, local Patterns, choose func(name string, own owner) owner) ([]owner, error) {
	var all []owner
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p != "." && (ownWork(p) || local.Match(p)) {
			return skipDir(d)
		}
		own, err := ownerOf(filepath.Join(dir, p))
		if err != nil {
			return err
		}
		chosen := choose(p, own)
		chosen.Path, chosen.Dir = p, own.Dir
		all = append(all, chosen)
		return nil
	})
	return all, err
}
