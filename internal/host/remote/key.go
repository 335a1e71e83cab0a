package remote

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyComment marks our key in an authorized_keys file.
const keyComment = "z2mha"

// LoadOrCreateKey returns the private key in the file path and its line for
// authorized_keys. A missing file is created with a new ed25519 key, mode 0600. A
// file that others can read is refused.
func LoadOrCreateKey(path string) (ssh.Signer, string, error) {
	pemBytes, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		pemBytes, err = createKey(path)
	}
	if err != nil {
		return nil, "", fmt.Errorf("ssh key: %w", err)
	}
	if err := checkPrivate(path); err != nil {
		return nil, "", err
	}
	signer, err := ssh.ParsePrivateKey(pemBytes)
	if err != nil {
		return nil, "", fmt.Errorf("ssh key %s: not a private key without passphrase: %w", path, err)
	}
	return signer, publicLine(signer), nil
}

func publicLine(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey()))) + " " + keyComment
}

func createKey(path string) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, keyComment)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	pemBytes := pem.EncodeToMemory(block)
	return pemBytes, replaceFile(path, pemBytes)
}

func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("ssh key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("ssh key %s can be read by others (mode %04o): chmod 600 %s",
			path, info.Mode().Perm(), path)
	}
	return nil
}

// replaceFile makes path hold data, whole or not at all, readable by us only.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
