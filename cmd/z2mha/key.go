package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/host/remote"
)

// loadKey loads our SSH key and shows its public line once, when it is made.
func loadKey(path string) (ssh.Signer, error) {
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	signer, line, err := remote.LoadOrCreateKey(path)
	if err == nil && isNew {
		fmt.Fprintf(os.Stderr, "a new SSH key was made in %s; add this line to ~/.ssh/authorized_keys of the login on every host:\n%s\n", path, line)
	}
	return signer, err
}
