package helper

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"z2mha/internal/host/helperapi"
)

// flags makes the verb's flag set; its help goes where parse sends it.
func (c *call) flags() *flag.FlagSet {
	set := flag.NewFlagSet(c.verb.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set
}

// errHelp ends a verb whose help was printed.
var errHelp = errors.New("help was asked for")

// parse reads flags before, between and after the positional arguments, whose names
// say how many there must be, and returns those.
func (c *call) parse(set *flag.FlagSet, names ...string) ([]string, error) {
	var positional []string
	rest := c.args
	for {
		err := set.Parse(rest)
		if errors.Is(err, flag.ErrHelp) {
			c.printHelp(set)
			return nil, errHelp
		}
		if err != nil {
			return nil, helperapi.Errorf(helperapi.ExitUsage, "%s: %v; \"znp-helper %[1]s --help\" lists what there is", c.verb.name, err)
		}
		if set.NArg() == 0 {
			break
		}
		positional = append(positional, set.Arg(0))
		rest = set.Args()[1:]
	}
	if c.verb.name == helperapi.VerbRead && len(positional) == 2 {
		return nil, helperapi.Errorf(helperapi.ExitUsage, "read takes a port only; to save the image write: znp-helper read %s -o %s",
			positional[0], positional[1])
	}
	if len(positional) != len(names) {
		return nil, helperapi.Errorf(helperapi.ExitUsage, "%s takes %s, not %d arguments: znp-helper %[1]s %[4]s",
			c.verb.name, counted(names), len(positional), c.verb.form)
	}
	for i, name := range names {
		if name != aPort {
			continue
		}
		if err := checkAddress(positional[i]); err != nil {
			return nil, err
		}
	}
	return positional, nil
}

// aPort is the name of a positional argument that is a stick's address.
const aPort = "a port"

func counted(names []string) string {
	if len(names) == 0 {
		return "no arguments but flags"
	}
	return strings.Join(names, " and ")
}

func (c *call) printHelp(set *flag.FlagSet) {
	fmt.Fprintf(c.env.Stdout, "znp-helper %s %s\n%s\n", c.verb.name, c.verb.form, c.verb.about)
	set.SetOutput(c.env.Stdout)
	set.PrintDefaults()
	fmt.Fprint(c.env.Stdout, c.verb.more)
}

// many is a flag that may be given again and again.
type many []string

func (m *many) String() string { return strings.Join(*m, ",") }

// Set adds one value.
func (m *many) Set(value string) error {
	*m = append(*m, value)
	return nil
}
