package z2m

// MergeInput is what a stand-by's configuration is made of.
type MergeInput struct {
	Active Files // the active's data directory, or a generation of it
	Target Files // the stand-by's own data directory; nil when it has none

	// Keep are further keys, dotted ("frontend.auth_token"), whose values stay
	// the target's.
	Keep []string

	// Own are values that the target must have whatever either file says, by
	// dotted key: serial.port, z2mha.node.
	Own map[string]any
}

// MergeOutput is what to write on the target.
type MergeOutput struct {
	Configuration []byte            // configuration.yaml
	Secrets       map[string][]byte // files that it refers to (secret.yaml), by path
	Kept          []string          // dotted keys that have the target's own value
	Warnings      []string
}
