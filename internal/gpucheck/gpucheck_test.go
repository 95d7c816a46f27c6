package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStages(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []int
		why  string
	}{
		{"1-6", []int{1, 2, 3, 4, 5, 6}, "a range"},
		{"5,1-2, 1", []int{1, 2, 5}, "each once, in order of worth"},
		{"0", nil, "they count from 1"},
		{"7", nil, "there are six"},
		{"3-2", nil, "backwards"},
		{"", nil, "none"},
	} {
		got, err := parseStages(c.in)
		if c.want == nil {
			require.Error(t, err, c.why)
			continue
		}
		require.NoError(t, err, c.why)
		require.Equal(t, c.want, got, c.why)
	}
}

func TestMean(t *testing.T) {
	// The standard error is 0.1/sqrt(3), and Student's t with 2 degrees of freedom 4.3027.
	f := meanOf([]float64{1.9, 2, 2.1}).figure("", 10)
	require.InDelta(t, 20, f.Value, 1e-12)
	require.InDelta(t, 20-2.4842, *f.Low, 1e-3)
	require.InDelta(t, 20+2.4842, *f.High, 1e-3)
	require.Equal(t, "-", meanOf(nil).figure("", 1).Text, "nothing was measured")
	require.Nil(t, meanOf([]float64{3}).figure("", 1).Low, "one value has no interval")
}

func TestReadParts(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(log, []byte(`BenchmarkRate/rate=product-2 	 10	 1000000 ns/op	 200.0 GFLOP/s
BenchmarkRate/rate=memory-2  	 10	 1000000 ns/op	 50.0 GB/s
BenchmarkPart/part=matmul-2  	 10	 8000000 ns/op	 100.0 GFLOP/s
BenchmarkPart/part=norm-2    	 10	 2000000 ns/op	 25.0 GB/s
BenchmarkPart/part=gradient-2	 10	 20000000 ns/op
`), 0o666))
	rows, err := readParts(log)
	require.NoError(t, err)
	require.Len(t, rows, 5)
	require.InDelta(t, 4, rows[2].value("needed ms"), 1e-9, "half the card's rate needs half the time")
	require.InDelta(t, 1, rows[3].value("needed ms"), 1e-9)
	require.InDelta(t, 5, rows[4].value("needed ms"), 1e-9, "the gradient needs what its parts need")
	require.InDelta(t, 0.25, rows[4].value("share"), 1e-9)
}

// made is a session over shell commands.
func made(t *testing.T) *session {
	s := &session{options: options{out: t.TempDir()}, log: io.Discard, top: t.TempDir(), commit: "c", deviceName: "d", ended: map[int]string{}}
	s.deadline = time.Now().Add(time.Minute)
	return s
}

func shell(name, script string) job {
	return job{name: name, argv: []string{"sh", "-c", script}, read: func(log string) ([]row, error) {
		b, err := os.ReadFile(log)
		return []row{{Name: string(bytes.TrimSpace(b))}}, err
	}}
}

func TestStageGoesOnAndALaterCallDoesTheRest(t *testing.T) {
	s := made(t)
	script := "echo bad; exit 3"
	st := &stage{n: 1, name: "tests", title: "shells", worth: 1, jobs: func(*session) ([]job, error) {
		return []job{shell("fails", script), shell("hangs", "echo begun; exec sleep 600"), shell("works", "echo good >>../works; cat ../works"),
			{name: "skipped", skip: "no reason"}}, nil
	}}
	failed, err := s.runStage(t.Context(), st, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, 2, failed, "a skipped one has not failed")
	r, err := s.load(st)
	require.NoError(t, err)
	require.Len(t, r.Items, 4)
	require.Contains(t, r.Items[0].Error, "exit status 3")
	require.Equal(t, "bad", r.Items[0].Rows[0].Name, "what it left is kept")
	require.Contains(t, r.Items[1].Error, "ended at its limit of ")
	require.Equal(t, "begun", r.Items[1].Rows[0].Name)
	require.Empty(t, r.Items[2].Error)
	require.Equal(t, "good", r.Items[2].Rows[0].Name, "the one that hung left it time")
	require.Equal(t, "skipped: no reason", r.Items[3].Error)

	script = "echo better"
	failed, err = s.runStage(t.Context(), st, 6*time.Second)
	require.NoError(t, err)
	require.Equal(t, 1, failed)
	r, err = s.load(st)
	require.NoError(t, err)
	require.Equal(t, "better", r.Items[0].Rows[0].Name)
	require.Equal(t, "good", r.Items[2].Rows[0].Name, "what worked did not run again")

	s.deviceName = "another card"
	_, err = s.runStage(t.Context(), st, time.Second)
	require.ErrorContains(t, err, "name another -out")
	s.deviceName = "d"
	var table bytes.Buffer
	require.NoError(t, s.table(&table))
	require.Contains(t, table.String(), "hangs: ended at its limit of ")
}

// TestRerunStartsWithAnEmptyFolder: files of an earlier run would be read as this one's.
func TestRerunStartsWithAnEmptyFolder(t *testing.T) {
	s := made(t)
	s.again = true
	st := &stage{n: 1, name: "tests", worth: 1, jobs: func(s *session) ([]job, error) {
		return []job{shell("job", "cd "+s.folder(1, "job")+"; ls | grep -v log; touch left")}, nil
	}}
	for range 2 {
		_, err := s.runStage(t.Context(), st, 5*time.Second)
		require.NoError(t, err)
		r, err := s.load(st)
		require.NoError(t, err)
		require.Empty(t, r.Items[0].Error)
		require.Empty(t, r.Items[0].Rows[0].Name, "nothing but its log")
	}
}

// TestJobsThatCannotBeMade: the reason is recorded, and goes when they can.
func TestJobsThatCannotBeMade(t *testing.T) {
	s := made(t)
	problem := errors.New("no such thing")
	st := &stage{n: 1, name: "tests", worth: 1, jobs: func(*session) ([]job, error) { return []job{shell("job", "true")}, problem }}
	for _, want := range []string{"no such thing", ""} {
		_, err := s.runStage(t.Context(), st, 5*time.Second)
		require.ErrorIs(t, err, problem)
		b, err := os.ReadFile(s.resultPath(st))
		require.NoError(t, err)
		var r result
		require.NoError(t, json.Unmarshal(b, &r))
		require.Equal(t, want, r.Error)
		problem = nil
	}
}

func TestStagesAreNumberedFromOne(t *testing.T) {
	for i, st := range stages() {
		require.Equal(t, i+1, st.n)
	}
}

func TestNoTimeIsSaid(t *testing.T) {
	s := made(t)
	it := s.runJob(context.Background(), &stages()[0], shell("late", "true"), time.Second)
	require.Equal(t, "not started: no time was left", it.Error)
}

// TestWhatCannotRunAgainStays: a good result is not replaced by the reason for not repeating it.
func TestWhatCannotRunAgainStays(t *testing.T) {
	s := made(t)
	s.again = true
	j := shell("job", "true")
	st := &stage{n: 1, name: "tests", worth: 1, jobs: func(*session) ([]job, error) { return []job{j}, nil }}
	for _, c := range []struct {
		why, skip string
		limit     time.Duration
		failed    int
	}{
		{"the first time", "", 5 * time.Second, 0},
		{"no time", "", time.Second, 1},
		{"no peer", "no peer here", 5 * time.Second, 1},
	} {
		j.skip = c.skip
		failed, err := s.runStage(t.Context(), st, c.limit)
		require.NoError(t, err, c.why)
		require.Equal(t, c.failed, failed, c.why)
		r, err := s.load(st)
		require.NoError(t, err)
		require.Len(t, r.Items, 1, c.why)
		require.Empty(t, r.Items[0].Error, c.why)
	}
}
