package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"z2mha/internal/console"
	"z2mha/internal/failover/network"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/parcel"
)

func shelfExport(f *flags) *cobra.Command {
	var form string
	var force bool
	cmd := &cobra.Command{
		Use: "export NUMBER --as FORM FILE", Short: "Write a generation to a file, for Zigbee2MQTT or zigpy-znp",
		Long: "Write a generation to a file, as\n" +
			"  zip     a backup of the whole data directory, as Zigbee2MQTT makes it\n" +
			"  znp     the memory of the stick, as zigpy-znp reads and writes it; only where it was read\n" +
			"  backup  the state of the coordinator (coordinator_backup.json)\n" +
			"The file is a secret: it holds the network key.",
		Args: exactly(2, "the number of a generation and the file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			as, err := formOf(form)
			if err != nil {
				return err
			}
			s, err := openNetwork(f)
			if err != nil {
				return err
			}
			g, err := s.get(args[0])
			if err != nil {
				return err
			}
			data, err := parcel.Export(s.shelf, g, as)
			if err != nil {
				return err
			}
			if err := writeSecret(args[1], data, force); err != nil {
				return err
			}
			fmt.Fprintf(console.Plain(cmd.OutOrStdout()), "generation %d of %s is in %s (%s)\n"+
				"This file is a secret. It holds the network key: whoever reads it can listen to the network and control its devices.\n"+
				"Only your own user can read it now. Keep it that way, and delete it when it is no longer needed.\n",
				g.Number, s.network, args[1], console.Bytes(int64(len(data))))
			return nil
		},
	}
	cmd.Flags().StringVar(&form, "as", "", "zip, znp or backup")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file when it exists")
	return cmd
}

func formOf(word string) (parcel.Form, error) {
	for _, form := range []parcel.Form{parcel.Zip, parcel.Dump, parcel.Backup} {
		if word == string(form) {
			return form, nil
		}
	}
	return "", usageError{errors.New("say --as zip, --as znp or --as backup")}
}

// writeSecret writes a file that only its owner can read. What is there is replaced only
// by force, and then in one act.
func writeSecret(path string, data []byte, force bool) error {
	if force {
		return durable.WriteFile(path, data, 0o600)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &network.RefusedError{What: "write " + path, Why: "there is such a file", Remedy: "name another one, or say --force to replace it"}
	}
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func shelfImport(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Put a backup that was made elsewhere on the shelf",
		Long: "Put a backup that was made elsewhere on the shelf: a zip file of Zigbee2MQTT (or its whole answer to\n" +
			"bridge/request/backup), a dump of a stick by zigpy-znp, or a coordinator_backup.json. It gets a number and is used\n" +
			"for nothing until somebody accepts or restores it. It is pinned, so that it stays.",
		Args: exactly(1, "the file to read"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openNetwork(f)
			if err != nil {
				return err
			}
			data, err := readParcel(args[0])
			if err != nil {
				return err
			}
			g, err := parcel.Import(s.shelf, s.network, fmt.Sprintf("%s, by %s on the command line", filepath.Base(args[0]), whoami()), data, time.Now())
			if err != nil {
				return err
			}
			console.Generation(cmd.OutOrStdout(), g, s.latest())
			fmt.Fprintf(console.Plain(cmd.OutOrStdout()), "\nIt is used for nothing until somebody accepts or restores it. %s still holds the network key: delete it when it is no longer needed.\n", args[0])
			return nil
		},
	}
}

// readParcel reads no more than a parcel may have.
func readParcel(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, parcel.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}
