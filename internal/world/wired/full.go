package wired

import (
	"encoding/binary"
	"io"
	"sync"

	"z2mha/internal/world/sshhost"
)

// SFTP packets, by draft-ietf-secsh-filexfer-02.
const (
	fxpWrite   = 6
	fxpStatus  = 101
	fxFailure  = 4
	noSpace    = "no space left on device"
	headerSize = 9 // length, type, id
)

// throughDisk puts a disk, which may be full, between a client and the server of its files.
func (h *Host) throughDisk(s sshhost.Stdio) sshhost.Stdio {
	out := &locked{w: s.Out}
	in, feed := io.Pipe()
	h.w.work.Go(func() { _ = feed.CloseWithError(h.filter(feed, s.In, out)) })
	return sshhost.Stdio{In: in, Out: out, Err: s.Err}
}

// filter passes packets on, but for writes while the disk is full, which it answers.
func (h *Host) filter(w io.Writer, r io.Reader, answers io.Writer) error {
	for {
		head := make([]byte, headerSize)
		if _, err := io.ReadFull(r, head); err != nil {
			return err
		}
		packet := make([]byte, 4+int(binary.BigEndian.Uint32(head)))
		copy(packet, head)
		if _, err := io.ReadFull(r, packet[headerSize:]); err != nil {
			return err
		}
		to := w
		if packet[4] == fxpWrite && h.isFull() {
			to, packet = answers, refusal(packet[5:headerSize])
		}
		if _, err := to.Write(packet); err != nil {
			return err
		}
	}
}

func refusal(id []byte) []byte {
	b := append([]byte{fxpStatus}, id...)
	b = binary.BigEndian.AppendUint32(b, fxFailure)
	b = binary.BigEndian.AppendUint32(b, uint32(len(noSpace)))
	b = append(b, noSpace...)
	b = binary.BigEndian.AppendUint32(b, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func (h *Host) isFull() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.full
}

// locked lets whole packets through, from two sides.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
