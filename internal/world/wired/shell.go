package wired

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"z2mha/internal/host/helper"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/world/sshhost"
)

// program is what lies on the hosts as the helper. Nobody runs these bytes.
var program = []byte("znp-helper, as a goroutine")

// shell runs a line as a host's /bin/sh would, as far as we send such lines.
func (h *Host) shell(ctx context.Context, line string, s sshhost.Stdio) int {
	switch {
	case strings.HasPrefix(line, "systemctl show "):
		fmt.Fprint(s.Out, h.unit.show())
		return 0
	case strings.HasPrefix(line, "u="): // the script that disables a unit
		h.unit.enable(false)
		return 0
	case strings.HasPrefix(line, "d="): // the script that looks for room
		fmt.Fprintln(s.Out, "Filesystem 1024-blocks Used Available Capacity Mounted\nmem 1000000 0 1000000 0% /")
		return 0
	}
	status := 0
	for _, part := range strings.Split(line, "; ") {
		status = h.run(ctx, words(part), s)
	}
	return status
}

// words splits a line at blanks, but not inside of single quotes.
func words(line string) []string {
	var all []string
	var word strings.Builder
	quoted, begun := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == '\\' && !quoted && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == ' ' && !quoted:
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}

func (h *Host) run(ctx context.Context, argv []string, s sshhost.Stdio) int {
	if len(argv) == 0 {
		return 0
	}
	say := func(err error) int {
		if err == nil {
			return 0
		}
		fmt.Fprintln(s.Err, err)
		return 1
	}
	last := argv[len(argv)-1]
	switch argv[0] {
	case "uname":
		fmt.Fprintln(s.Out, "x86_64")
	case "sha256sum":
		b, err := os.ReadFile(last)
		if err == nil {
			fmt.Fprintf(s.Out, "%x  %s\n", sha256.Sum256(b), last)
		}
		return say(err)
	case "mkdir":
		return say(os.MkdirAll(last, 0o755))
	case "mv":
		return say(os.Rename(argv[len(argv)-2], last))
	case "rm":
		return say(os.RemoveAll(last))
	case "systemctl":
		return h.unit.ctl(argv[1:], s)
	case "kill":
		return h.kill(argv[1], argv[2:])
	default:
		return h.helper(ctx, argv, s)
	}
	return 0
}

func (h *Host) kill(signal string, pids []string) int {
	status := 0
	for _, text := range pids {
		pid, _ := strconv.Atoi(text)
		p := h.process(pid)
		switch {
		case p == nil:
			status = 1
		case signal == "-KILL":
			p.kill()
		default:
			p.term()
		}
	}
	return status
}

// helper runs the helper, if that is what lies at argv[0].
func (h *Host) helper(ctx context.Context, argv []string, s sshhost.Stdio) int {
	b, err := os.ReadFile(argv[0])
	if err != nil || !bytes.Equal(b, program) {
		fmt.Fprintf(s.Err, "sh: %s: not found\n", argv[0])
		return 127
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if len(argv) > 1 && argv[1] == helperapi.VerbSFTP {
		s = h.throughDisk(s)
	}
	p := h.spawn(filepath.Base(argv[0]), "", true, stop)
	status := helper.Main(helper.Env{Stdin: s.In, Stdout: s.Out, Stderr: s.Err, Machine: machine{h, p}, Stop: ctx}, argv[1:])
	p.ended(status)
	return status
}
