// Command artwork draws the add-on's icon and logo: artwork [DIRECTORY], addon when
// left out. The same sources give the same pictures; a test compares what is
// committed with what would be drawn.
package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"z2mha/internal/storage/durable"
)

func main() {
	dir := "addon"
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	for name, picture := range pictures() {
		if err := write(filepath.Join(dir, name), picture); err != nil {
			fmt.Fprintf(os.Stderr, "artwork: %v\n", err)
			os.Exit(1)
		}
	}
}

func write(path string, picture image.Image) error {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, picture); err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return durable.WriteFile(path, b.Bytes(), 0o644)
}
