package config

import (
	"strconv"
	"time"
)

// A Shelf says how much of each network's past is kept.
type Shelf struct {
	Generations int           // the newest good captures, thinned out with age
	Age         time.Duration // older ones go, except the newest ten
	Bytes       int64         // of all that they name
}

// DefaultShelf is used for what the file leaves out.
var DefaultShelf = Shelf{Generations: 50, Age: 90 * 24 * time.Hour, Bytes: 500 << 20}

func (r *reader) shelf(top *section) Shelf {
	v, ok := top.field("shelf")
	if !ok {
		return DefaultShelf
	}
	s := v.section()
	defer s.close()
	d := DefaultShelf
	const day, mega = 24 * time.Hour, 1 << 20
	return Shelf{
		Generations: read(s, "generations", parseCount(2, 10_000), d.Generations),
		Age:         time.Duration(read(s, "days", parseCount(1, 36_500), int(d.Age/day))) * day,
		Bytes:       int64(read(s, "size_mb", parseCount(10, 1_000_000), int(d.Bytes/mega))) * mega,
	}
}

// parseCount reads a whole number within bounds.
func parseCount(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, refuse("not a number that can be used here", "write a whole number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
		}
		return n, nil
	}
}
