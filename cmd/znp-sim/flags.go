package main

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

const usage = `znp-sim emulates Z-Stack 3.30 coordinator sticks (CC2652P), the radio medium between
them, and devices that have joined. It runs until interrupted.

  znp-sim -dongle name=attic,pty=attic.tty,image=attic.json \
          -dongle name=cellar,tcp=127.0.0.1:6638,image=cellar.json \
          -form attic -device lamp=kitchen -control 127.0.0.1:0

It prints where things are, then a line "ready {JSON}" with the same for programs.

A stick: name=NAME, pty=PATH (a link to a pseudo-terminal) or tcp=HOST:PORT; image=FILE
in the format of zigpy-znp's nvram_read (made when missing); hardware=IEEE; revision=N.
A device: KIND=NAME, KIND being lamp, sensor or sleepy; add ",new" for one that is
fresh from the factory and joins when the network permits it.
-network takes pan=, ext=, channel=, ieee=, key= (32 hex digits).

Control (loopback only):
  GET  /record /dongles /devices
  POST /dongles/NAME/fault      {"silent":true} {"lose_answer":N} {"fail_write":N} {"fail_writes":true}
                                {"cut_at_write":N,"torn_item":true} {"deaf_receiver":true} {}
  POST /dongles/NAME/unplug /replug /powercut /power?on=BOOL /latency?is=15ms
  POST /devices/NAME/toggle /report /temperature?is=21.5 /power?on=BOOL /leave

Flags:
`

// A stickFlag is one -dongle.
type stickFlag struct {
	name, pty, tcp, image string
	hardware              zigbee.IEEE
	revision              uint32
}

// A deviceFlag is one -device.
type deviceFlag struct {
	kind znpsim.Kind
	name string
	new  bool
}

type options struct {
	sticks  []stickFlag
	devices []deviceFlag
	network zigbee.Identity
	form    string
	control string
	latency time.Duration
	pace    bool
	rate    float64
	verbose bool
}

// defaultNetwork is what -form makes unless -network says otherwise. Its key is no
// secret: it is in this file.
var defaultNetwork = zigbee.Identity{
	PanID: 0x5aa5, ExtPanID: 0x5a324d48412d5349, Channel: 15, IEEE: 0x00124b0053494d01,
	Key: zigbee.Key{'z', '2', 'm', 'h', 'a', ' ', 'd', 'e', 'm', 'o', ' ', 'n', 'e', 't', 0, 1},
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{network: defaultNetwork}
	fs := flag.NewFlagSet("znp-sim", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // a mistake is told once, in one line
	fs.Func("dongle", "a stick, `name=N,pty=PATH,image=FILE` (repeatable)", o.addStick)
	fs.Func("device", "a device, `KIND=NAME` (repeatable)", o.addDevice)
	fs.Func("network", "the network of -form, `pan=0x1a62,channel=15,...`", o.setNetwork)
	fs.StringVar(&o.form, "form", "", "the `stick` that carries a formed network when its image file does not exist yet")
	fs.StringVar(&o.control, "control", "", "serve control on this loopback `address`, such as 127.0.0.1:0")
	fs.DurationVar(&o.latency, "latency", 0, "delay before each answer, 4 to 19 ms on real sticks")
	fs.BoolVar(&o.pace, "pace", false, "lines no faster than 115200 baud")
	fs.Float64Var(&o.rate, "frame-rate", 0, "frames a second that sticks on air relay beside their own")
	fs.BoolVar(&o.verbose, "v", false, "log every frame (without its data), and what sticks refuse")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(stderr)
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	if err != nil {
		return o, err
	}
	return o, o.check(fs.Args())
}

func (o *options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if len(o.sticks) == 0 {
		return errors.New("no stick: give at least one -dongle")
	}
	names, found := make(map[string]bool), o.form == ""
	for _, s := range o.sticks {
		if names[s.name] {
			return fmt.Errorf("two sticks named %q", s.name)
		}
		names[s.name] = true
		found = found || s.name == o.form
	}
	if !found {
		return fmt.Errorf("-form %s: no such stick", o.form)
	}
	return nil
}

// pairs calls set for each key=value of a list; a word without = has the value "".
func pairs(s string, set func(key, value string) error) error {
	for part := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(part, "=")
		if err := set(key, value); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

var errUnknownKey = errors.New("unknown key")

func (o *options) addStick(text string) error {
	var s stickFlag
	err := pairs(text, func(key, value string) (err error) {
		switch key {
		case "name":
			s.name = value
		case "pty":
			s.pty = value
		case "tcp":
			s.tcp = value
		case "image":
			s.image = value
		case "hardware":
			s.hardware, err = zigbee.ParseIEEE(value)
		case "revision":
			err = number(value, 32, func(v uint64) { s.revision = uint32(v) })
		default:
			err = errUnknownKey
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case s.name == "":
		return errors.New("a stick needs name=")
	case (s.pty == "") == (s.tcp == ""):
		return errors.New("a stick needs pty= or tcp=, one of them")
	}
	o.sticks = append(o.sticks, s)
	return nil
}

func (o *options) addDevice(text string) error {
	var d deviceFlag
	err := pairs(text, func(key, value string) error {
		switch kind := znpsim.Kind(key); kind {
		case znpsim.Lamp, znpsim.Sensor, znpsim.SleepyChild:
			d.kind, d.name = kind, value
		case "new":
			d.new = true
		default:
			return errors.New("want lamp, sensor or sleepy")
		}
		return nil
	})
	if err == nil && d.name == "" {
		err = errors.New("a device needs a name: lamp=kitchen")
	}
	o.devices = append(o.devices, d)
	return err
}

func (o *options) setNetwork(text string) error {
	id := &o.network
	return pairs(text, func(key, value string) (err error) {
		switch key {
		case "pan":
			err = number(value, 16, func(v uint64) { id.PanID = zigbee.PanID(v) })
		case "ext":
			id.ExtPanID, err = zigbee.ParseExtPanID(value)
		case "channel":
			err = number(value, 8, func(v uint64) { id.Channel = zigbee.Channel(v) })
			if err == nil && (id.Channel < 11 || id.Channel > 26) {
				err = errors.New("want 11 to 26")
			}
		case "ieee":
			id.IEEE, err = zigbee.ParseIEEE(value)
		case "key":
			var b []byte
			if b, err = hex.DecodeString(value); err != nil || len(b) != len(id.Key) {
				return errors.New("want 32 hex digits")
			}
			copy(id.Key[:], b)
		default:
			err = errUnknownKey
		}
		return err
	})
}

func number(s string, bits int, set func(uint64)) error {
	v, err := strconv.ParseUint(s, 0, bits)
	if err != nil {
		return fmt.Errorf("want a number of %d bits", bits)
	}
	set(v)
	return nil
}
