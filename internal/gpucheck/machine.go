package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lorabench/internal/process"
)

// look runs check and chooses the device. If the device does not work, only the stages that need none run.
func (s *session) look(ctx context.Context) error {
	env, err := s.env(s.out)
	if err != nil {
		return err
	}
	argv := []string{s.path("bin/check")}
	if s.device != "auto" && s.device != "cpu" {
		argv = append(argv, "-device="+s.device)
	}
	limited, cancel := s.lookLimit(ctx)
	defer cancel()
	log := filepath.Join(s.out, "check.txt")
	_, err = process.Command{What: "check", Argv: argv, Dir: s.out, Env: env, Log: log}.Run(limited)
	b, readErr := os.ReadFile(log)
	s.check = string(b)
	if err = errors.Join(err, readErr); err == nil || s.device == "cpu" {
		err = s.chooseDevice()
	}
	if err != nil {
		s.noDevice, s.deviceName = err.Error(), "no device"
		fmt.Fprintf(s.log, "gpucheck: %v\n", err)
	}
	return nil
}

// lookLimit bounds a look at the machine, whose driver may hang.
func (s *session) lookLimit(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := min(time.Minute, time.Until(s.deadline))
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("ended at its limit of %s", limit.Round(time.Second)))
}

// lookForPeer returns the reason why there is no peer to compare with, or "".
func (s *session) lookForPeer(ctx context.Context) string {
	if s.standIn {
		return "the stand-in computes nothing that could be compared with the peer"
	}
	limited, cancel := s.lookLimit(ctx)
	defer cancel()
	log := filepath.Join(s.out, "peer.txt")
	_, err := process.Command{What: "peer", Argv: []string{s.path("bin/peer"), "-check"}, Dir: s.out, Log: log}.Run(limited)
	if err == nil {
		return ""
	}
	b, _ := os.ReadFile(log)
	if limited.Err() != nil {
		return err.Error()
	}
	return strings.TrimSpace(cmp.Or(string(b), err.Error()))
}

// chooseDevice reads check's line "device    cuda:0, NAME".
func (s *session) chooseDevice() error {
	for line := range strings.Lines(s.check) {
		if rest, ok := strings.CutPrefix(line, "memory "); ok {
			if _, err := fmt.Sscanf(rest, "%f GiB", &s.memory); err != nil {
				return fmt.Errorf("check printed %q: %w", line, err)
			}
		}
	}
	for line := range strings.Lines(s.check) {
		if rest, ok := strings.CutPrefix(line, "device "); ok && s.device != "cpu" {
			name, model, _ := strings.Cut(strings.TrimSpace(rest), ", ")
			if s.device == "auto" || s.device == "cuda" {
				s.device = name
			}
			s.deviceName = strings.TrimSpace(model)
			return nil
		}
	}
	if s.device != "cpu" && s.device != "auto" {
		return fmt.Errorf("-device is %s, and this machine has none that works:\n%s", s.device, s.check)
	}
	s.device, s.deviceName = "cpu", "cpu"
	return nil
}
