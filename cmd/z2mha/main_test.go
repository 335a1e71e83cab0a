package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

func TestUsageMistakesExitWithTwo(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"swichover"}, {"--frob"}, {"list", "extra"}, {"switchover", "--to"}, {"check-config", "a", "b"},
		{"check-config", "nofile.yaml"}, {"check-config", "."}, {"list"}, {"preflight", "cellar"},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			if got := run(context.Background(), args); got != exitUsage {
				t.Errorf("exit code %d, want %d", got, exitUsage)
			}
		})
	}
}

func TestHelpExitsWithZero(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"switchover", "--help"}, {"help", "exit-codes"}} {
		if got := run(context.Background(), args); got != exitOK {
			t.Errorf("%v: exit code %d", args, got)
		}
	}
}

func TestExitCodes(t *testing.T) {
	refused := &network.RefusedError{What: "switchover", Why: "two run"}
	tests := []struct {
		name  string
		ended engine.Ended
		want  int
	}{
		{"completed", engine.Ended{Outcome: plan.Completed}, exitOK},
		{"given up", engine.Ended{Outcome: plan.GivenUp, Err: errors.New("no")}, exitFailed},
		{"refused", engine.Ended{Outcome: plan.GivenUp, Err: fmt.Errorf("step: %w", refused)}, exitRefused},
		{"taken back", engine.Ended{Outcome: plan.RolledBack, Err: errors.New("no")}, exitRolledBack},
		{"open", engine.Ended{Outcome: plan.NeedsHelp, Err: &engine.UnsettledError{Err: errors.New("no")}}, exitNeedsHelp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitCode(endedError(tt.ended)); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
		})
	}
}
