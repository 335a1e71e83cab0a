package node

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
)

// maxLine is the longest line of the helper's that is believed: a listing of 50,000 files.
const maxLine = 16 << 20

// A dialogue is a helper's manifest that sends what it is asked for: one command for a
// whole capture, whatever the way to the host.
type dialogue struct {
	in  *bufio.Reader
	out io.Writer
}

// talk runs the call for as long as use talks to it.
func (n *Node) talk(ctx context.Context, c call, use func(*dialogue) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, toUs := io.Pipe()
	requests, toHost := io.Pipe()
	ran := make(chan error, 1)
	go func() {
		err := n.runTalk(ctx, c, requests, toUs)
		_ = toUs.CloseWithError(errors.Join(err, io.ErrUnexpectedEOF))
		_ = requests.CloseWithError(io.ErrClosedPipe)
		ran <- err
	}()
	err := use(&dialogue{in: bufio.NewReaderSize(answers, 64<<10), out: toHost})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		cancel() // all has been said: the session is closed, which ends the helper
	}
	_ = toHost.Close()
	_ = answers.CloseWithError(io.ErrClosedPipe)
	failed := <-ran
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return cmp.Or(failed, helperapi.ErrNoResult) // the reason behind what use saw
}

func (n *Node) runTalk(ctx context.Context, c call, stdin io.Reader, stdout io.Writer) error {
	out, err := n.runHelper(ctx, func(helper string) remote.Command {
		cmd := c.command(helper)
		cmd.Stdin, cmd.Stdout = stdin, stdout
		return cmd
	})
	if err == nil && out.Exit != 0 {
		err = helperapi.ParseError(out.Stderr, out.Exit)
	}
	return err
}

// request asks for files, and for a listing afterwards.
func (d *dialogue) request(files []helperapi.File) error {
	var f helperapi.Fetch
	for _, file := range files {
		f.Paths = append(f.Paths, file.Path)
	}
	line, err := json.Marshal(f)
	if err == nil {
		_, err = d.out.Write(append(line, '\n'))
	}
	if errors.Is(err, io.ErrClosedPipe) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// listing is the next one.
func (d *dialogue) listing() (helperapi.ManifestResult, error) {
	var result helperapi.ManifestResult
	for {
		m, err := d.message()
		if err != nil {
			return result, err
		}
		if m.Event == helperapi.EventResult {
			return result, json.Unmarshal(m.Result, &result)
		}
	}
}

// message is the next line that is the helper's. A login shell may have said something
// before.
func (d *dialogue) message() (helperapi.Message, error) {
	for {
		line, err := d.line()
		if err != nil {
			return helperapi.Message{}, err
		}
		if m, err := helperapi.ParseLine(line); err == nil {
			return m, nil
		}
	}
}

func (d *dialogue) line() ([]byte, error) {
	var line []byte
	for {
		piece, err := d.in.ReadSlice('\n')
		line = append(line, piece...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("the helper wrote a line of more than %d MiB", maxLine>>20)
		}
	}
}

// file is the next one of those asked for; it must be read to its end. It is
// fs.ErrNotExist when it is gone.
func (d *dialogue) file() io.Reader { return &fileOf{d: d} }

type fileOf struct {
	d    *dialogue
	left int // of the chunk
	over bool
}

func (f *fileOf) Read(p []byte) (int, error) {
	for f.left == 0 {
		if f.over {
			return 0, io.EOF
		}
		m, err := f.d.message()
		if err != nil {
			return 0, err
		}
		if m.Chunk == nil || m.Chunk.Bytes < 0 {
			return 0, fmt.Errorf("%s where a piece of a file was expected", m.Event)
		}
		if f.left, f.over = m.Chunk.Bytes, m.Chunk.End; m.Chunk.Gone {
			return 0, fs.ErrNotExist
		}
	}
	n, err := f.d.in.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}
