package znp_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

// An exchange is one request as it must look and what the stick says to it, in hex:
// CMD0 CMD1 DATA. An answer without CMD is a data-only one to the request.
type exchange struct{ request, answer string }

func hexBytes(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// play answers exactly the exchanges given, in order.
func play(t *testing.T, exchanges []exchange) *znp.Client {
	t.Helper()
	next := 0
	c, _ := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
		got := append([]byte{r.Cmd0(), r.ID}, r.Data...)
		if next == len(exchanges) {
			t.Errorf("unexpected request % x", got)
			return nil, znptest.ErrUnplug
		}
		e := exchanges[next]
		next++
		if diff := cmp.Diff(hexBytes(t, e.request), got); diff != "" {
			t.Errorf("request %d: %s", next, diff)
		}
		return hexBytes(t, e.answer), nil
	})
	t.Cleanup(func() {
		if next != len(exchanges) {
			t.Errorf("%d of %d requests were sent", next, len(exchanges))
		}
	})
	return c
}

func TestCommands(t *testing.T) {
	long := strings.Repeat("ab", 247)
	tests := []struct {
		name      string
		exchanges []exchange
		call      func(ctx context.Context, c *znp.Client) (any, error)
		want      any
	}{
		{"it reads the version with the capabilities of a ping",
			[]exchange{{"2101", "5906"}, {"2102", "02 01 02 07 01 29 ff 34 01"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.Version(ctx) },
			nvimage.Stick{Capabilities: 0x0659, Transport: 2, Product: 1, Major: 2, Minor: 7, Maint: 1, Revision: 20250409}},
		{"it takes a version without revision",
			[]exchange{{"2101", "5906"}, {"2102", "02 01 02 07 01"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.Version(ctx) },
			nvimage.Stick{Capabilities: 0x0659, Transport: 2, Product: 1, Major: 2, Minor: 7, Maint: 1}},
		{"it reads the address, least significant byte first",
			[]exchange{{"2104", "a8 ef 17 1e 00 4b 12 00"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.GetExtAddr(ctx) },
			zigbee.IEEE(0x00124b001e17efa8)},
		{"it reads device info and tolerates trailing bytes",
			[]exchange{{"2700", "00 a8ef171e004b1200 0000 07 09 02 3412 7856 ff"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.DeviceInfo(ctx) },
			znp.DeviceInfo{IEEE: 0x00124b001e17efa8, Type: 7, State: znp.StateCoordinator, Children: []zigbee.NwkAddr{0x1234, 0x5678}}},
		{"it reads the network",
			[]exchange{{"2550", "0000 09 0244 0000 a083e6b5a838baa2 0000000000000000 0f"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.ExtNwkInfo(ctx) },
			znp.ExtNwkInfo{State: znp.StateCoordinator, PanID: 0x4402, ExtPanID: 0xa2ba38a8b5e683a0, Channel: 15}},
		{"it reads an OSAL item in one exchange",
			[]exchange{{"2108 2400 00", "00 02 b8 0b"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.ReadOSAL(ctx, 0x0024) },
			[]byte{0xb8, 0x0b}},
		{"it reads a long OSAL item to its end",
			[]exchange{{"2108 2100 00", "00 f7" + long}, {"211c 2100 f700", "00 02 0102"}},
			func(ctx context.Context, c *znp.Client) (any, error) {
				v, err := c.ReadOSAL(ctx, 0x0021)
				return len(v), err
			}, 249},
		{"it ends a long OSAL item where the stick has no more",
			[]exchange{{"2108 2100 00", "00 f7" + long}, {"211c 2100 f700", "02 00"}},
			func(ctx context.Context, c *znp.Client) (any, error) {
				v, err := c.ReadOSAL(ctx, 0x0021)
				return len(v), err
			}, 247},
		{"it asks for an OSAL length",
			[]exchange{{"2113 2100", "74 00"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.LengthOSAL(ctx, 0x0021) }, 116},
		{"it deletes an OSAL item",
			[]exchange{{"2112 6000 0100", "00"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return nil, c.DeleteOSAL(ctx, 0x0060, 1) }, nil},
		{"it asks for a length of four bytes",
			[]exchange{{"2132 01 0400 0c00", "14 00 00 00"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.LengthNV(ctx, 4, 12) }, 20},
		{"it reads a table entry",
			[]exchange{{"2133 01 0700 0000 0000 04", "00 04 01020304"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return c.ReadNV(ctx, 7, 0, 4) },
			[]byte{1, 2, 3, 4}},
		{"it reads a long entry in parts",
			[]exchange{{"2133 01 0700 0000 0000 f5", "00 f5" + long[:490]}, {"2133 01 0700 0000 f500 02", "00 02 0102"}},
			func(ctx context.Context, c *znp.Client) (any, error) {
				v, err := c.ReadNV(ctx, 7, 0, 247)
				return len(v), err
			}, 247},
		{"it creates or replaces an entry",
			[]exchange{{"2135 01 0000 6000 01 55", "00"}},
			func(ctx context.Context, c *znp.Client) (any, error) {
				return nil, c.UpdateNV(ctx, 0, 0x0060, []byte{0x55})
			}, nil},
		{"it deletes an entry",
			[]exchange{{"2131 01 0300 0500", "00"}},
			func(ctx context.Context, c *znp.Client) (any, error) { return nil, c.DeleteNV(ctx, 3, 5) }, nil},
	}
	for _, test := range tests {
		bubble(test.name, t, func(t *testing.T) {
			got, err := test.call(t.Context(), play(t, test.exchanges))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	status := func(command string, status byte) error { return &znp.StatusError{Command: command, Status: status} }
	readOSAL := func(ctx context.Context, c *znp.Client) error { _, err := c.ReadOSAL(ctx, 0x0082); return err }
	readNV := func(ctx context.Context, c *znp.Client) error { _, err := c.ReadNV(ctx, 4, 1, 20); return err }
	update := func(ctx context.Context, c *znp.Client) error { return c.UpdateNV(ctx, 4, 1, []byte{1}) }
	info := func(ctx context.Context, c *znp.Client) error { _, err := c.DeviceInfo(ctx); return err }
	tests := []struct {
		name   string
		answer string
		call   func(ctx context.Context, c *znp.Client) error
		want   error // a sentinel or a *StatusError
	}{
		{"an absent OSAL item", "02 00", readOSAL, znp.ErrNoItem},
		{"a failed OSAL read, which is not absence", "0a 00", readOSAL, status("SYS_OSAL_NV_READ", 0x0a)},
		{"a value shorter than it claims", "00 05 01020304", readOSAL, znp.ErrShortAnswer},
		{"a status without a length", "02", readOSAL, znp.ErrShortAnswer},
		{"an empty answer", "", readOSAL, znp.ErrShortAnswer},
		{"an absent entry", "0a 00", readNV, znp.ErrNoItem},
		{"an entry shorter than asked for", "05 00", readNV, status("SYS_NV_READ", 5)},
		{"fewer bytes than asked for", "00 02 0102", readNV, znp.ErrShortAnswer},
		{"a failed write", "0a", update, status("SYS_NV_UPDATE", 0x0a)},
		{"a write without status", "", update, znp.ErrShortAnswer},
		{"a failed device info", "01 a8ef171e004b1200 0000 07 00 00", info, status("UTIL_GET_DEVICE_INFO", 1)},
		{"a device info that lacks children", "00 a8ef171e004b1200 0000 07 00 02 3412", info, znp.ErrShortAnswer},
		{"deleting an absent OSAL item", "09", func(ctx context.Context, c *znp.Client) error {
			return c.DeleteOSAL(ctx, 0x0060, 1)
		}, znp.ErrNoItem},
		{"deleting an OSAL item of another length", "0c", func(ctx context.Context, c *znp.Client) error {
			return c.DeleteOSAL(ctx, 0x0060, 2)
		}, status("SYS_OSAL_NV_DELETE", 0x0c)},
		{"deleting an absent entry", "0a", func(ctx context.Context, c *znp.Client) error {
			return c.DeleteNV(ctx, 0, 0x0060)
		}, znp.ErrNoItem},
		{"a length of one byte", "14", func(ctx context.Context, c *znp.Client) error {
			_, err := c.LengthNV(ctx, 4, 1)
			return err
		}, znp.ErrShortAnswer},
		{"a network info of an older firmware", "0000 09 0244", func(ctx context.Context, c *znp.Client) error {
			_, err := c.ExtNwkInfo(ctx)
			return err
		}, znp.ErrShortAnswer},
	}
	for _, test := range tests {
		bubble("it reports "+test.name, t, func(t *testing.T) {
			c, _ := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) {
				return hexBytes(t, test.answer), nil
			})
			err := test.call(t.Context(), c)
			var wantStatus, gotStatus *znp.StatusError
			switch {
			case errors.As(test.want, &wantStatus):
				if !errors.As(err, &gotStatus) || *gotStatus != *wantStatus {
					t.Errorf("got %v, want %v", err, test.want)
				}
			case !errors.Is(err, test.want):
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestForbiddenItem(t *testing.T) {
	bubble("it sends nothing that would change item 0x0024", t, func(t *testing.T) {
		c, stick := znptest.Dial(t, znp.Options{}, echo)
		for _, err := range []error{
			c.UpdateNV(t.Context(), 0, 0x0024, []byte{1, 2}),
			c.DeleteNV(t.Context(), 0, 0x0024),
			c.DeleteOSAL(t.Context(), 0x0024, 2),
		} {
			if !errors.Is(err, znp.ErrForbiddenItem) {
				t.Errorf("got %v", err)
			}
		}
		if got := stick.Received(); len(got) > 0 {
			t.Errorf("sent % x", got)
		}
	})
}

func TestReset(t *testing.T) {
	bubble("it returns the stick's announcement", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			if diff := cmp.Diff(unpi.Frame{Type: unpi.AREQ, Subsystem: unpi.SYS, Data: []byte{1}}, r); diff != "" {
				t.Error(diff)
			}
			time.Sleep(200 * time.Millisecond)
			stick.Indicate(unpi.SYS, 0x80, 0, 2, 1, 2, 7, 1)
			return nil, nil
		})
		got, err := c.Reset(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := znp.ResetInd{Transport: 2, Product: 1, Major: 2, Minor: 7, Maint: 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	bubble("it waits 30 seconds and then knows nothing", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) { return nil, nil })
		start := time.Now()
		_, err := c.Reset(t.Context())
		if !errors.Is(err, znp.ErrTimeout) || !strings.Contains(err.Error(), "did not announce its boot within 30s") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
	bubble("it does not take an earlier announcement for its own", t, func(t *testing.T) {
		c, stick := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) { return nil, nil })
		stick.Indicate(unpi.SYS, 0x80, 0, 2, 1, 2, 7, 1)
		synctest.Wait()
		if _, err := c.Reset(t.Context()); !errors.Is(err, znp.ErrTimeout) {
			t.Errorf("got %v", err)
		}
	})
}
