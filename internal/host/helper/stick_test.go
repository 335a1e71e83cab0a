package helper_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/helperapi"
)

// spare is the factory address of sticks that never were on a network.
const spare zigbee.IEEE = 0x00124b00bb000002

// startStick plugs an emulated stick in and puts its address into a variable:
// stick NAME tcp|pty formed|reset [revision=N] [latency=2ms].
func startStick(ts *testscript.TestScript, _ bool, args []string) {
	o := znpsim.DongleOptions{Name: args[0], Image: nvimagetest.Formed()}
	if args[2] == "reset" {
		o.Hardware, o.Image = spare, nvimagetest.Reset(spare)
	}
	for _, arg := range args[3:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "revision":
			n, err := strconv.ParseUint(value, 10, 32)
			ts.Check(err)
			o.Revision = uint32(n)
		case "latency":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			o.Latency = d
		}
	}
	stick := znpsim.NewDongle(o)
	ts.Setenv(args[0], serve(contextOf(ts), ts, stick, args[1], ts.MkAbs(args[0]+".tty")))
	sticks(ts)[args[0]] = stick
}

type sticksKey struct{}

func sticks(ts *testscript.TestScript) map[string]*znpsim.Dongle {
	return ts.Value(sticksKey{}).(map[string]*znpsim.Dongle)
}

// checker is the part of a test or script that serve needs.
type checker interface{ Check(err error) }

// serve puts a stick on a port and returns its address.
func serve(ctx context.Context, c checker, stick *znpsim.Dongle, kind, link string) string {
	if kind == "pty" {
		pty, err := stick.OpenPTY(link)
		c.Check(err)
		go func() { _ = pty.Serve(ctx) }()
		return link
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	c.Check(err)
	go func() { _ = stick.ServeTCP(ctx, l) }()
	return "tcp://" + l.Addr().String()
}

// setFault breaks a stick: fault NAME {JSON}; {} repairs it.
func setFault(ts *testscript.TestScript, _ bool, args []string) {
	var f znpsim.Fault
	ts.Check(json.Unmarshal([]byte(args[1]), &f))
	sticks(ts)[args[0]].SetFault(f)
}

// saveStick writes what a stick holds to a file: image NAME FILE.
func saveStick(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), sticks(ts)[args[0]].Image().Encode(), 0o600))
}

// onAir starts a stick's network, as Zigbee2MQTT would, and leaves it so: onair NAME.
func onAir(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(contextOf(ts), 20*time.Second)
	defer cancel()
	rw, err := port.Open(ctx, ts.Getenv(args[0]))
	ts.Check(err)
	client := znp.NewClient(rw, znp.Options{})
	defer client.Close()
	ts.Check(client.Connect(ctx))
	up := client.Expect(func(f unpi.Frame) bool {
		return f.Type == unpi.AREQ && f.Subsystem == unpi.ZDO && f.ID == 0xC0 &&
			len(f.Data) == 1 && f.Data[0] == byte(znp.StateCoordinator)
	})
	defer up.Close()
	_, err = client.Request(ctx, unpi.ZDO, 0x40, []byte{100, 0})
	ts.Check(err)
	_, err = up.Wait(ctx)
	ts.Check(err)
}

// makePatch writes what brings a stick that holds an image from there to an image with
// one device more: patch IMAGE FILE.
func makePatch(ts *testscript.TestScript, _ bool, args []string) {
	known, err := nvimage.Parse([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	text, err := json.Marshal(patchOf(known, joined(known)))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

func patchOf(known, want *nvimage.Image) helperapi.Patch {
	items := nvram.PatchItems(known, want)
	return helperapi.Patch{From: nvimagetest.Stick, Known: known.Part(items).Encode(), Want: want.Part(items).Encode()}
}

// joined is an image after a device has joined its network.
func joined(known *nvimage.Image) *nvimage.Image {
	m := known.Clone()
	m.Set(nvimage.Entry(nvimage.AddrMgr, 100), append([]byte{2, 0xFF, 0x34, 0x12}, spare.LE()...))
	return m
}

// makeLayout writes which items an image has: layout IMAGE FILE.
func makeLayout(ts *testscript.TestScript, _ bool, args []string) {
	image, err := nvimage.Parse([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	text, err := json.Marshal(helperapi.LayoutOf(image.Layout()))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}
