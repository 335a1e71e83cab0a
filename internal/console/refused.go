package console

import (
	"fmt"
	"io"
)

// Refused prints why a capture reaches nobody.
func Refused(w io.Writer, number int, why []string) {
	w = Plain(w)
	fmt.Fprintf(w, "capture %d is unlike the last good one:\n", number)
	for _, line := range why {
		fmt.Fprintf(w, "  %s\n", line)
	}
}
