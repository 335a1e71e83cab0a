// Package addon holds what the add-on store shows and Supervisor reads: documents,
// translations, pictures and the AppArmor profile. Supervisor looks for them at the
// top of the repository, where symbolic links lead here; the real files are here
// because go:embed follows no links. Documents is what the help page shows.
package addon

import "embed"

// Documents holds DOCS.md and translations/LANGUAGE.yaml.
//
//go:embed DOCS.md translations/*.yaml
var Documents embed.FS
