// Package version says which release this is.
package version

// Version is the release, as in config.yaml and CHANGELOG.md. A build may set another
// with -ldflags "-X z2mha/internal/version.Version=…".
var Version = "0.3.0"
