package main

import (
	"fmt"
	"io"
	"time"

	"lorabench/bench/gate/history"
	"lorabench/bench/gate/judge"
)

// keepHistory adds results to a history without judging them, or, without results, draws it anew.
func (c *command) keepHistory(args []string) (judge.Status, error) {
	if len(args) == 0 {
		return judge.Pass, c.draw(c.stdout)
	}
	in, problems := judge.Read(args[0])
	if len(problems) > 0 {
		return c.finish(unusable(problems), nil)
	}
	return judge.Pass, c.remember(c.stdout, in)
}

// remember adds results to the history and draws it anew; w is told what was written.
func (c *command) remember(w io.Writer, in *judge.Input) error {
	path, err := history.Append(c.history, in, time.Now())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "history: the results are %s\n", path); err != nil {
		return err
	}
	return c.draw(w)
}

func (c *command) draw(w io.Writer) error {
	h, err := history.Load(c.history)
	if err != nil {
		return err
	}
	paths, err := h.Write(c.history)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "history: the trend is %s\n", paths[0])
	return err
}
