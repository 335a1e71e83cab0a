package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"z2mha/internal/config"
	"z2mha/internal/host/remote"
)

// keyFile is the SSH key for a node: its own, or ours.
func keyFile(cfg *config.Config, x config.Node) string {
	return cmp.Or(x.KeyFile, filepath.Join(cfg.State, "id_ed25519"))
}

// makeKeys makes the SSH keys that are missing and shows, once, what to do with them.
func makeKeys(cfg *config.Config) error {
	for _, n := range cfg.Networks {
		for _, x := range n.Nodes {
			if err := makeKey(keyFile(cfg, x), x); err != nil {
				return err
			}
		}
	}
	return nil
}

func makeKey(path string, x config.Node) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, line, err := remote.LoadOrCreateKey(path)
	if err == nil {
		fmt.Fprintf(os.Stderr, "a new SSH key was made: %s\nOn every host, add this line to ~/.ssh/authorized_keys of the login that the configuration names (%s on %s):\n%s\n",
			path, x.User, x.Name, line)
	}
	return err
}
