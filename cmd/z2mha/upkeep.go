package main

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"z2mha/internal/backup"
	"z2mha/internal/version"
)

// healthcheckCommand is what a container's HEALTHCHECK runs: it needs no shell.
func healthcheckCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck", Short: "Ask the server on this machine whether it is well", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, port, err := net.SplitHostPort(pageAddress(f))
			if err != nil {
				return usageError{fmt.Errorf("Z2MHA_LISTEN: %w", err)}
			}
			client := http.Client{Timeout: 4 * time.Second}
			resp, err := client.Get("http://127.0.0.1:" + port + "/healthz")
			if err != nil {
				return fmt.Errorf("ask the server: %w", err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("the server answers %s", resp.Status)
			}
			return nil
		},
	}
}

// pageAddress is where the server on this machine listens.
func pageAddress(f *flags) string {
	around := surroundings{config: f.config}
	if listen := os.Getenv("Z2MHA_LISTEN"); listen != "" {
		return listen
	}
	if cfg, err := around.peek(); err == nil {
		return cfg.Page.Listen
	}
	return addonListen
}

// backupCommand is what Home Assistant runs before and after it packs our data.
func backupCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup", Short: "Make the state ready to be packed, and tidy up afterwards",
		Long: "A backup that is made while z2mha works is whole if `z2mha backup prepare` runs before it and `z2mha backup done`\n" +
			"after it. Home Assistant does both by itself.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{Use: "prepare", Short: "Before packing", Args: noArgs, RunE: func(*cobra.Command, []string) error {
			host, err := os.Hostname()
			if err != nil {
				host = "unknown"
			}
			return backup.Dir{State: stateDir(f)}.Prepare(time.Now(), version.Version, host)
		}},
		&cobra.Command{Use: "done", Short: "After packing", Args: noArgs, RunE: func(*cobra.Command, []string) error {
			return backup.Dir{State: stateDir(f)}.Done()
		}})
	return cmd
}

// stateDir is what the configuration says; in an add-on, and where there is no
// configuration that can be used, the directory beside it.
func stateDir(f *flags) string {
	around := here(f)
	if cfg, err := around.peek(); err == nil {
		return cfg.State
	}
	return around.state
}

// here is where a command finds configuration and state that works beside a server. It
// needs no broker, of which an add-on's configuration may say nothing.
func here(f *flags) surroundings {
	around := surroundings{config: f.config}
	if _, there := os.LookupEnv("SUPERVISOR_TOKEN"); there {
		around.config = filepath.Join(cmp.Or(os.Getenv("Z2MHA_DATA"), "/data"), "z2mha.yaml")
	}
	around.state = filepath.Join(filepath.Dir(around.config), "state")
	return around
}
