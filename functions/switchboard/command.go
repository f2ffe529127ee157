package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// command is the whole command line.
func command(s surroundings) *cobra.Command {
	root := &cobra.Command{
		Use:           "switchboard",
		Short:         "One backend, many companies, each company's assistants on their own line",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddGroup(&cobra.Group{ID: operatorGroup, Title: "For the operator of a running server:"})
	root.AddCommand(serveCommand(), versionCommand(),
		s.syncCommand(), s.projectCommand(), s.assistantCommand(), s.keyCommand(), s.doctorCommand(), proveCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "switchboard", version)
			return err
		},
	}
}
