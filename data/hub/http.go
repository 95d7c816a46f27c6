package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	tries    = 3
	patience = 5 * time.Minute // the longest wait that a server may ask for
)

// networkError reports that no response came.
type networkError struct {
	host string
	err  error
}

func (e *networkError) Error() string { return fmt.Sprintf("cannot reach %s: %v", e.host, e.err) }
func (e *networkError) Unwrap() error { return e.err }

// statusError is a response whose status is not success.
type statusError struct {
	code int
	said string
	host string
	wait time.Duration // that the server asks for before another try
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.host, e.code, http.StatusText(e.code))
	if e.said != "" {
		text += fmt.Sprintf(" (%.300q)", e.said)
	}
	if e.wait > 0 {
		text += fmt.Sprintf(" and asks to wait %v", e.wait)
	}
	return text
}

// transient reports whether another try may help.
func (e *statusError) transient() bool {
	return e.code == http.StatusRequestTimeout || e.code == http.StatusTooManyRequests || e.code >= 500
}

// damage is a transfer that differs from what was announced, or a cached file that does not match its name.
type damage struct {
	err  error
	kept int64 // bytes that arrived nevertheless and need not be sent again
	drop bool  // what exists of the file is useless
}

func (e *damage) Error() string { return e.err.Error() }
func (e *damage) Unwrap() error { return e.err }

func transient(err error) bool {
	var status *statusError
	var network *networkError
	var broken *damage
	return errors.As(err, &status) && status.transient() || errors.As(err, &network) || errors.As(err, &broken)
}

// again calls do until it succeeds, fails for good, or has failed three times in a row. A try that transferred a megabyte is no failure.
func (c *Client) again(ctx context.Context, do func() error) error {
	first := c.pause
	if first == 0 {
		first = time.Second
	}
	for try, pause := 1, first; ; try, pause = try+1, pause*2 {
		err := do()
		var broken *damage
		if errors.As(err, &broken) && broken.kept >= 1<<20 {
			try, pause = 1, first
		}
		var status *statusError
		asked := errors.As(err, &status) && status.wait > 0
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !transient(err) || asked && status.wait > patience:
			return err
		case try == tries:
			return fmt.Errorf("%w (tried %d times)", err, tries)
		case asked:
			pause = max(pause, status.wait)
			c.notice(status.Error())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func (c *Client) notice(text string) {
	text = c.discreet(errors.New(text)).Error()
	if c.Notice != nil {
		c.Notice(text)
		return
	}
	fmt.Fprintf(os.Stderr, "The Hub: %s\n", text) // benchstat would read a lower-case word as a setting
}

// discreet returns err without the token, the password of a mirror's address and the user's home folder.
func (c *Client) discreet(err error) error {
	var secrets []string
	if len(c.Token) > 8 {
		secrets = append(secrets, c.Token, "(token)")
	}
	if u, bad := c.endpoint(); bad == nil && u.User != nil {
		secrets = append(secrets, u.User.String()+"@", "")
	}
	if home, bad := os.UserHomeDir(); bad == nil && home != "/" {
		secrets = append(secrets, home+"/", "~/")
	}
	return &discreetError{err, strings.NewReplacer(secrets...).Replace(err.Error())}
}

type discreetError struct {
	err  error
	text string
}

func (e *discreetError) Error() string { return e.text }
func (e *discreetError) Unwrap() error { return e.err }
