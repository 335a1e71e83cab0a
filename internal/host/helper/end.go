package helper

import (
	"fmt"
	"io"
	"time"

	"z2mha/internal/host/ending"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/runrecord"
)

func runEnd(c *call) error {
	var a helperapi.EndArgs
	var f runFlags
	set := c.flags()
	f.register(set)
	set.StringVar(&a.TTY, "tty", "", "`PORT` of the stick")
	set.StringVar(&a.Data, "data", "", "Zigbee2MQTT's data `DIR`")
	set.DurationVar(&a.Budget, "budget", 2*time.Second, "for state.json and database.db to be saved; else nobody is killed")
	set.BoolVar(&a.Term, "term", false, "send a TERM, unless a supervisor would start it again")
	set.StringVar(&a.Ask, "ask", "", "`LINE` of shell that asks the service manager for the end")
	set.StringVar(&a.Settle, "settle", "", "`LINE` of shell that makes it agree afterwards")
	if _, err := c.parse(set); err != nil {
		return err
	}
	if a.TTY == "" || a.Data == "" {
		return helperapi.Errorf(helperapi.ExitUsage, "end needs --tty and --data")
	}
	f.complete(c.verb.name)
	raw, err := c.underRun(f, map[string]string{"tty": a.TTY, "data": a.Data}, func(*runrecord.Run) (any, error) {
		return ending.End(c.stopped, c.env.Machine, a)
	})
	if err != nil {
		return err
	}
	r, err := decode[helperapi.EndResult](raw)
	if err != nil {
		return err
	}
	return c.out.result(r, func(w io.Writer) { sayEnd(w, r) })
}

func sayEnd(w io.Writer, r helperapi.EndResult) {
	fmt.Fprintf(w, "gone %t, saved %t after %d ms, all in %d ms\n", r.Gone, r.Saved, r.SaveMS, r.TookMS)
	sayHolders(w, r.Found)
	if r.Why != "" {
		fmt.Fprintln(w, r.Why)
	}
}
