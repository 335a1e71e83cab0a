package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"z2mha/internal/host/datadir"
	"z2mha/internal/host/helperapi"
)

// chunkBytes is how much of a file is sent at a time.
const chunkBytes = 64 << 10

// talk lists, and then sends the files that each line of standard input asks for and
// lists again, until that ends. So a capture takes one command, however much is fetched.
func (c *call) talk(scanner *datadir.Scanner) error {
	c.out.text = false
	requests := c.requests()
	for {
		m, err := scanner.Scan(c.ctx)
		if err != nil {
			return err
		}
		if err := c.out.result(m, nil); err != nil {
			return err
		}
		line, more := <-requests
		if !more {
			return nil
		}
		var f helperapi.Fetch
		if err := json.Unmarshal(line, &f); err != nil {
			return helperapi.Errorf(helperapi.ExitUsage, "read a request: %v", err)
		}
		for _, name := range f.Paths {
			if err := c.send(scanner, name); err != nil {
				return fmt.Errorf("send %s: %w", name, err)
			}
		}
	}
}

// requests are the lines of standard input. Its end, as when the connection is lost,
// ends the verb.
func (c *call) requests() <-chan []byte {
	ctx, cancel := context.WithCancel(c.ctx)
	c.ctx = ctx
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		defer cancel()
		in := bufio.NewReader(c.env.Stdin)
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
	return lines
}

func (c *call) send(scanner *datadir.Scanner, name string) error {
	f, err := scanner.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) { // a link is none
		c.chunk(helperapi.Chunk{End: true, Gone: true}, nil)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	piece := make([]byte, chunkBytes)
	for c.ctx.Err() == nil {
		n, err := io.ReadFull(f, piece)
		over := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !over {
			return err
		}
		c.chunk(helperapi.Chunk{Bytes: n, End: over}, piece[:n])
		if over {
			return nil
		}
	}
	return c.ctx.Err()
}

func (c *call) chunk(k helperapi.Chunk, bytes []byte) {
	c.out.line(helperapi.Message{Event: helperapi.EventChunk, Chunk: &k})
	_, _ = c.env.Stdout.Write(bytes)
}
