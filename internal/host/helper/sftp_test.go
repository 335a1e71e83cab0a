package helper_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pkg/sftp"

	"z2mha/internal/host/helperapi"
)

// dialSFTP starts the helper's SFTP server on pipes, as it runs over SSH.
func dialSFTP(t *testing.T, a helperapi.SFTPArgs) *sftp.Client {
	t.Helper()
	cmd := exec.Command("znp-helper", a.Argv()...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client, err := sftp.NewClientPipe(out, in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return client
}

func TestSFTP(t *testing.T) {
	client := dialSFTP(t, helperapi.SFTPArgs{})
	path := filepath.Join(t.TempDir(), "configuration.yaml")
	f, err := client.Create(path + ".part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "network_key: secret\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.PosixRename(path+".part", path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what was sent is for others' eyes too: %v, %v", info.Mode(), err)
	}
}

func TestSFTPReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := dialSFTP(t, helperapi.SFTPArgs{ReadOnly: true})
	f, err := client.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); err != nil || string(data) != "content" {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := client.Create(path + "2"); err == nil {
		t.Error("a read-only server made a file")
	}
	if err := client.Remove(path); err == nil {
		t.Error("a read-only server removed a file")
	}
}
