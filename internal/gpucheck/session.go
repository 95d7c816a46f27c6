package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lorabench/internal/process"
	"lorabench/internal/root"
)

// session is one call.
type session struct {
	options
	log        io.Writer
	deadline   time.Time
	top        string // the bundle's folder
	commit     string
	check      string         // what check printed
	deviceName string         // as check prints it
	memory     float64        // of the card, in GiB
	noDevice   string         // the reason why stages that need the device cannot run
	noPeer     string         // the reason why the peer cannot run
	ended      map[int]string // stages that could not run, and why
}

// stage is a group of child processes with one question.
type stage struct {
	n        int
	name     string
	title    string
	worth    float64 // its share of the time against the others'
	anywhere bool    // needs no card
	jobs     func(*session) ([]job, error)
}

// job is one child process. read turns what it left behind into rows, also where it failed.
type job struct {
	name string
	argv []string
	dir  string // "" is the bundle's folder
	env  []string
	read func(log string) ([]row, error)
	skip string // the reason for not running it
	all  bool   // it leaves nothing unless it ends, so that it may have all of the stage's time
}

func stages() []stage {
	return []stage{
		{1, "tests", "device tests: CUDA and graphs, parity and gradients", 2, false, (*session).testJobs},
		{2, "speed", "speed and memory by rank, precision and graphs", 4, false, (*session).speedJobs},
		{3, "peer", "beside Hugging Face's Trainer with PEFT", 4, false, (*session).peerJobs},
		{4, "standin", "the allocator's peaks beside the stand-in's", 1.5, true, (*session).standInJobs},
		{5, "curves", "loss curves of long runs", 4, false, (*session).curveJobs},
		{6, "parts", "where a step's time goes", 1, false, (*session).partJobs},
	}
}

// prepare looks at the machine.
func (s *session) prepare(ctx context.Context) (err error) {
	if s.top, err = root.Dir(); err != nil {
		return err
	}
	s.commit = root.Commit()
	if err := os.MkdirAll(s.out, 0o777); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	for _, p := range []*string{&s.data, &s.tokenizer, &s.model} {
		if *p, err = s.find(*p); err != nil {
			return err
		}
	}
	if err := s.look(ctx); err != nil {
		return err
	}
	if s.noDevice == "" && (slices.Contains(s.stages, 3) || slices.Contains(s.stages, 5)) {
		s.noPeer = s.lookForPeer(ctx)
	}
	return ctx.Err()
}

// env returns the environment of a child whose files lie in dir.
func (s *session) env(dir string) ([]string, error) {
	if !s.standIn {
		return nil, nil
	}
	return standInEnv(dir)
}

func (s *session) cuda() bool { return s.device != "cpu" }

func (s *session) path(name string) string { return filepath.Join(s.top, filepath.FromSlash(name)) }

// find makes a path absolute: from here, or else from the bundle's folder.
func (s *session) find(path string) (string, error) {
	spec, hashed := strings.CutPrefix(path, "hash:")
	for _, dir := range []string{"", s.top} {
		abs, err := filepath.Abs(filepath.Join(dir, spec))
		if filepath.IsAbs(spec) {
			abs, err = spec, nil
		}
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(abs); err == nil {
			if hashed {
				abs = "hash:" + abs
			}
			return abs, nil
		}
	}
	return "", fmt.Errorf("there is no %s, here or in the bundle", spec)
}

// runStages runs those asked for. A stage's share of the time that is left is its worth against that of those to come.
func (s *session) runStages(ctx context.Context) error {
	failed, all := 0, stages()
	for i, n := range s.stages {
		worth := 0.0
		for _, later := range s.stages[i:] {
			worth += all[later-1].worth
		}
		st := &all[n-1]
		limit := time.Duration(float64(time.Until(s.deadline)) * st.worth / worth)
		f, err := s.runStage(ctx, st, limit)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			fmt.Fprintf(s.log, "gpucheck: stage %d: %v\n", st.n, err)
			s.ended[st.n], f = err.Error(), f+1
		}
		failed += f
	}
	if failed > 0 {
		return fmt.Errorf("%d runs or stages failed or are missing: their errors are in the table and in %s; "+
			"the same call with this -out does them", failed, s.out)
	}
	return nil
}

func (s *session) runStage(ctx context.Context, st *stage, limit time.Duration) (failed int, err error) {
	fmt.Fprintf(s.log, "gpucheck: stage %d, %s: at most %s\n", st.n, st.title, limit.Round(time.Second))
	if s.noDevice != "" && !st.anywhere {
		err = fmt.Errorf("skipped: %s", s.noDevice)
		if r, loadErr := s.load(st); loadErr == nil { // else what is there stays as it is
			err = errors.Join(err, s.end(st, r, err.Error()))
		}
		return 0, err
	}
	r, err := s.load(st)
	if err != nil {
		return 0, err
	}
	jobs, err := st.jobs(s)
	if err != nil {
		return 0, errors.Join(err, s.end(st, r, err.Error()))
	}
	if r.Error != "" {
		if err := s.end(st, r, ""); err != nil {
			return 0, err
		}
	}
	jobs = slices.DeleteFunc(jobs, func(j job) bool { return r.done(j.name) && !s.again })
	end := time.Now().Add(limit)
	for i, j := range jobs {
		limit := time.Until(end)
		if !j.all { // one that hangs has at most twice its share: the others are to have theirs
			limit = min(limit, 2*limit/time.Duration(len(jobs)-i))
		}
		if (j.skip != "" || limit < least) && r.done(j.name) {
			fmt.Fprintf(s.log, "gpucheck:   %s: not run again, for want of time or because it cannot; what is there stays\n", j.name)
			failed++
			continue
		}
		it := s.runJob(ctx, st, j, limit)
		if ctx.Err() != nil {
			return 0, errors.New("interrupted")
		}
		if it.Error != "" && j.skip == "" {
			failed++
		}
		if err := s.put(st, r, it); err != nil {
			return 0, err
		}
	}
	return failed, nil
}

// least is the shortest time for which a child is started: with less it could do nothing.
const least = 2 * time.Second

// runJob runs one child within its limit.
func (s *session) runJob(ctx context.Context, st *stage, j job, limit time.Duration) item {
	it := item{Name: j.name, Command: s.shown(j.argv), Started: time.Now().UTC().Truncate(time.Second)}
	switch {
	case j.skip != "":
		it.Error = "skipped: " + j.skip
		return it
	case limit < least:
		it.Error = "not started: no time was left"
		return it
	}
	fmt.Fprintf(s.log, "gpucheck:   %s\n", j.name)
	log := filepath.Join(s.folder(st.n, j.name), "log.txt")
	err := os.RemoveAll(filepath.Dir(log)) // an earlier run's files would be read as this one's
	if err = errors.Join(err, os.MkdirAll(filepath.Dir(log), 0o777)); err != nil {
		it.Error = err.Error()
		return it
	}
	if j.dir == "" {
		j.dir = s.top
	}
	env, err := s.env(filepath.Dir(log))
	if err != nil {
		it.Error = err.Error()
		return it
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("ended at its limit of %s", limit.Round(time.Second)))
	defer cancel()
	began := time.Now()
	_, err = process.Command{What: j.name, Argv: j.argv, Dir: j.dir, Env: append(env, j.env...), Log: log,
		Grace: 3 * time.Second}.Run(limited)
	it.Seconds = time.Since(began).Seconds()
	if err != nil {
		it.Error = strings.TrimPrefix(err.Error(), j.name+": ")
	}
	var readErr error
	if it.Rows, readErr = j.read(log); readErr != nil && it.Error == "" {
		it.Error = readErr.Error()
	}
	return it
}

// folder returns the folder of a job's files.
func (s *session) folder(stage int, job string) string {
	return filepath.Join(s.out, fmt.Sprintf("stage%d-%s", stage, stages()[stage-1].name), strings.ReplaceAll(job, " ", "-"))
}

// shown returns a command without this machine's paths.
func (s *session) shown(argv []string) string {
	shown := strings.Join(argv, " ")
	for _, dir := range []string{s.out, s.top, filepath.Dir(s.data), filepath.Dir(s.tokenizer), filepath.Dir(strings.TrimPrefix(s.model, "hash:"))} {
		shown = strings.ReplaceAll(shown, dir+"/", "")
	}
	return shown
}
