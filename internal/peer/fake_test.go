package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench"
	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
	"lorabench/internal/relay"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakeVariable makes this test binary act as one of the two programs; its value says how it is to go wrong.
const fakeVariable = "LORABENCH_PEER_FAKE"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(fakeVariable); ok {
		if err := fake(how, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func fake(how string, args []string) error {
	if counters := os.Getenv("FAKECUDA_COUNTERS"); counters != "" {
		if err := fakeCounters(how, counters); err != nil {
			return err
		}
	}
	switch {
	case how == "linger": // until it is killed, with a child that has what this one has open
		child := exec.Command("sleep", "600")
		fifo, err := os.OpenFile(os.Getenv("FAKE_FIFO"), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		child.Stdout = fifo
		if err := child.Start(); err != nil {
			return err
		}
		fmt.Fprintln(fifo, "ready")
		return child.Wait()
	case strings.HasPrefix(args[0], "-test."):
		return fakeLorabench(how, args)
	case args[0] == "-c":
		_, versions := pins(requirements)
		versions["python"] = "3.11.0"
		return json.NewEncoder(os.Stdout).Encode(versions)
	}
	b, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	if args[1] == "adapters" {
		var job adaptersJob
		if err := json.Unmarshal(b, &job); err != nil {
			return err
		}
		for _, a := range job.Make {
			if err := os.MkdirAll(a.Folder, 0o777); err != nil {
				return err
			}
			if err := writeJSON(filepath.Join(a.Folder, "adapter_config.json"), map[string]any{
				"peft_type": "LORA", "r": a.Rank, "lora_alpha": job.Alpha, "lora_dropout": a.Dropout, "target_modules": job.Targets}); err != nil {
				return err
			}
		}
		return nil
	}
	var job trainJob
	if err := json.Unmarshal(b, &job); err != nil {
		return err
	}
	return fakePeer(how, job)
}

// fakeCounters is a file of internal/fakecuda's counters: a name in 480 bytes, then four numbers of 64 bits.
func fakeCounters(how, path string) error {
	line := make([]byte, 480+4*8)
	if how == "a call is refused" {
		copy(line, "error cudaLaunchKernel: cudaErrorInvalidValue")
	} else {
		copy(line, "kernel _Z3add")
	}
	binary.NativeEndian.PutUint64(line[480:], 6)
	return os.WriteFile(path, line, 0o666)
}

// called adds a line to the file of what the fakes did, in order.
func called(what string) error {
	calls := os.Getenv("FAKE_CALLS")
	if calls == "" {
		return nil
	}
	f, err := os.OpenFile(calls, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, what)
	return errors.Join(err, f.Close())
}

// fakeLorabench takes 1 s for a step; the loss of step i is 2 - i/10.
func fakeLorabench(how string, args []string) error {
	if how == "lorabench fails" {
		return fmt.Errorf("lorabench: out of memory")
	}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	flags := bench.Register(fs)
	var benchtime, pipes string
	fs.StringVar(&pipes, "relay", "", "")
	for _, name := range []string{"run", "bench", "timeout"} {
		fs.String("test."+name, "", "")
	}
	fs.StringVar(&benchtime, "test.benchtime", "", "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	steps, err := bench.StepsOf(benchtime)
	if err != nil {
		return err
	}
	s, _, err := flags.Parsed(steps)
	if err != nil {
		return err
	}
	all, err := sequences(context.Background(), s, steps*s.Batch*s.Accum)
	if err != nil {
		return err
	}
	baton, err := relay.Open(pipes)
	if err == nil {
		err = errors.Join(baton.Take(), baton.Pass(), baton.Take())
	}
	for i := range steps {
		if err == nil && i == 1 && baton != nil && how == "lorabench fails while the peer waits" {
			return errors.New("lorabench: out of memory")
		}
		switch {
		case err != nil:
		case baton != nil:
			err = called("our " + s.DType + " step")
		case i == 0:
			err = called("our " + s.DType)
		}
		if err == nil && i < steps-1 {
			err = errors.Join(baton.Pass(), baton.Take())
		}
	}
	if err != nil {
		return err
	}
	gib := int64(1 << 30)
	r := record.Record{Rank: s.Ranks[0], Seed: s.Seed, Settings: s.Settings, Name: "rank=" + s.Ranks[0], Runtime: 1, Trainable: 100, GlobalStep: steps, SamplesPerSecond: float64(s.Batch * s.Accum),
		TokensPerSecond: float64(tokens(all)) / float64(steps), RealTokens: tokens(all), PaddedTokens: paddedTokens(all, s.Batch),
		PeakMemory: record.Peak{RSS: &gib}, Machine: record.Machine{Device: "cpu", CPU: "abacus", Threads: 1, Torch: "2.11.0", Commit: "c0ffee"}}
	r.Model.Name, r.Data.Name = "hash:tiny", "tiny.jsonl"
	for i := range steps {
		r.Steps = append(r.Steps, record.Step{Step: i + 1, Loss: 2 - float64(i)/10, GradNorm: 1,
			LearningRate: s.LR * float64(steps-i) / float64(steps)})
		r.Laps = append(r.Laps, record.Lap{Step: i + 1, Seconds: 1})
	}
	if report := os.Getenv(fakecuda.ReportVariable); report != "" {
		r.PeakMemory = record.Peak{GPUAllocated: &gib, GPUReserved: &gib}
		did, err := fakecuda.OwnCounters()
		if err != nil {
			return err
		}
		return writeJSON(report, fakecuda.Run{Record: &r, Steps: did, All: did})
	}
	switch how {
	case "lorabench leaves no record":
		return nil
	case "lorabench skips a sequence":
		r.RealTokens--
	case "lorabench has no peak":
		r.PeakMemory.RSS = nil
	}
	return r.Save(s.Out)
}

// fakePeer takes 2 s for a step, and 1.6 s where it groups by length; its losses are 1e-6 higher in the last step.
func fakePeer(how string, job trainJob) error {
	b, err := os.ReadFile(job.Samples)
	if err != nil {
		return err
	}
	var timed []sample
	if err := json.Unmarshal(b, &timed); err != nil {
		return err
	}
	rss := int64(2 << 30)
	r := result{Seconds: 2 * float64(job.Steps), RealTokens: tokens(timed), PaddedTokens: paddedTokens(timed, job.Batch),
		Peak: record.Peak{RSS: &rss}, Threads: 1, Trainable: 100, Attention: "sdpa"}
	if job.Grouped {
		r.Seconds, r.PaddedTokens = 1.6*float64(job.Steps), r.RealTokens
	}
	baton, err := relay.Open(job.Relay)
	if err == nil {
		err = baton.Take()
	}
	for i := range job.Steps {
		if err == nil && i == 1 && baton != nil && how == "peer fails while lorabench waits" {
			return errors.New("Traceback: killed")
		}
		if err == nil {
			err = errors.Join(baton.Pass(), baton.Take())
		}
		switch {
		case err != nil:
		case baton != nil:
			err = called(job.Optim + " " + job.DType + " step")
		case i == 0:
			err = called(job.Optim + " " + job.DType)
		}
	}
	if err != nil {
		return err
	}
	norm := 1.001
	for i := range job.Steps {
		step := peerStep{Seconds: r.Seconds / float64(job.Steps), Loss: 2 - float64(i)/10, GradNorm: &norm, LearningRate: job.LR * float64(job.Steps-i) / float64(job.Steps)}
		if i == job.Steps-1 {
			step.Loss += 1e-6
		}
		each := len(timed) / job.Steps
		step.RealTokens = tokens(timed[i*each : (i+1)*each])
		r.Steps = append(r.Steps, step)
	}
	if job.Device == "cuda" { // the stand-in: no losses, and rank 8's peak is the largest
		allocated := int64(2 << 30)
		if strings.Contains(job.Adapter, "r8-") {
			allocated = 3 << 30
		}
		r.Steps, r.Peak = nil, record.Peak{GPUAllocated: &allocated, GPUReserved: &allocated}
	}
	switch how {
	case "peer fails in its last run":
		if job.Grouped {
			return fmt.Errorf("Traceback: step 2 has loss nan")
		}
	case "peer pads otherwise":
		r.PaddedTokens++
	case "peer has another rate":
		r.Steps[0].LearningRate *= 1.01
	case "peer has other threads":
		r.Threads = 7
	case "peer trains more":
		r.Trainable++
	case "peer has no peak":
		r.Peak = record.Peak{}
	case "peer leaves half a result":
		return os.WriteFile(job.Result, []byte(`{"steps": [{"loss": 2.0`), 0o666)
	}
	return writeJSON(job.Result, r)
}

func paddedTokens(s []sample, batch int) (n int64) {
	for micro := range slices.Chunk(s, batch) {
		longest := 0
		for _, x := range micro {
			longest = max(longest, len(x.IDs))
		}
		n += int64(len(micro) * longest)
	}
	return n
}

// withFakes makes this test binary both programs.
func withFakes(c *comparison, ctx context.Context) (err error) {
	if c.python, err = os.Executable(); err != nil {
		return err
	}
	c.binary = c.python
	if c.benchDir, err = os.Getwd(); err != nil {
		return err
	}
	c.versions, c.notes, err = versionsOf(ctx, c.python, c.dir)
	return err
}

// tiny are flags for a comparison that takes no time, its results going to a new folder.
func tiny(t *testing.T, more ...string) options {
	t.Helper()
	o, err := parse(append([]string{"-model=testdata/small/config.json", "-device=cpu", "-out=" + t.TempDir(),
		"-steps=2", "-loss-steps=3"}, more...), os.Stderr)
	require.NoError(t, err)
	return o
}
