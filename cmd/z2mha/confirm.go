package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"z2mha/internal/failover/network"
)

// A typed confirmation: a person types certain words, or gives them with --confirm where
// nobody sits at a terminal.
type typed struct{ given string }

func (t *typed) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.given, "confirm", "", "the words that would be asked for, where nobody can type them")
}

// ask wants the words. What is refused has changed nothing.
func (t *typed) ask(cmd *cobra.Command, what, words string) error {
	given := t.given
	if given == "" && isTerminal() {
		fmt.Fprintf(cmd.OutOrStdout(), "Type %q to go on: ", words)
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && line == "" {
			return fmt.Errorf("read the confirmation: %w", err)
		}
		given = line
	}
	if strings.Join(strings.Fields(given), " ") != words {
		return &network.RefusedError{What: what, Why: "it was not confirmed", Remedy: fmt.Sprintf("type %q when asked, or give it with --confirm", words)}
	}
	return nil
}

func isTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }
