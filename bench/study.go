package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/file"
	"lorabench/internal/kernels"
	"lorabench/internal/shard"
	"lorabench/internal/torch"
)

// unfinished is the file that describes a folder's study until its last run has succeeded.
const unfinished = record.Unfinished

// written lists the names, besides those with a seed in them, that a study's runs and reports have in -out.
var written = []string{unfinished, shard.NoRuns, "bench.txt", "tensorboard", "report.html", "summary.md", "figures"}

// Study holds what an unfinished study and its continuation must agree in.
type Study struct {
	Settings Settings          `json:"settings"`
	Model    record.ModelInfo  `json:"model"`
	Data     record.DataInfo   `json:"data"`
	Machine  record.Machine    `json:"machine"`
	Code     string            `json:"code"`   // digest of the program where no commit holds its source
	Inputs   string            `json:"inputs"` // digest of inputs that the model's and the data's digests do not cover
	Procs    int               `json:"gomaxprocs"`
	Testing  map[string]string `json:"testing"`        // flags of go test that choose the runs, their order and length
	Arms     []string          `json:"arms,omitempty"` // to train; nil where -bench or -skip choose among them

	dir     string
	release func() // of its lock
}

// Study describes the runs that this workload makes under some flags of go test.
func (w *Workload) Study(testing map[string]string) (*Study, error) {
	s := &Study{Settings: w.Settings, Model: w.ModelInfo, Data: w.DataInfo, Machine: ThisMachine(w.device), Procs: runtime.GOMAXPROCS(0),
		Testing: testing}
	s.Settings.Settings = w.recorded()
	s.Data.EvalLossBase, s.Data.EvalHalvesBase, s.Data.ForgetLossBase = nil, nil, nil // computed, and not to the last digit on every device
	var err error
	if s.Inputs, err = w.inputs(); err != nil {
		return s, err
	}
	if c := s.Machine.Commit; c != "unknown" && !strings.HasSuffix(c, "+") {
		return s, nil
	}
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	b, err := os.ReadFile(self)
	s.Code = fmt.Sprintf("%x", sha256.Sum256(b))
	return s, err
}

// Open claims dir for the study. If dir holds an equal unfinished study, its complete runs are returned by file name, to be kept. Anything
// else that a study wrote there moves to a folder old-N. note says which was done, "" if dir was empty.
func (s *Study) Open(dir string) (kept map[string]*record.Record, note string, err error) {
	now, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, "", err
	}
	if err := s.lock(dir); err != nil {
		return nil, "", err
	}
	path := filepath.Join(dir, unfinished)
	before, err := os.ReadFile(path)
	was := "A study that has ended lay in " + dir
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, "", err
	case bytes.Equal(before, now):
		kept, err = whole(dir)
		return kept, fmt.Sprintf("The unfinished study in %s goes on: runs that are whole are kept: %d.", dir, len(kept)), err
	default:
		was = fmt.Sprintf("An unfinished study with other settings lay in %s (%s)", dir, difference(before, now))
	}
	aside, err := moveAside(dir)
	if err != nil {
		return nil, "", err
	}
	if aside != "" {
		note = was + ": it is in " + aside + " now."
	}
	return nil, note, file.Write(path, now)
}

// kernelsBefore returns the kernels of an unfinished study in dir, so that they compute the rest of it too; else auto.
func (w *Workload) kernelsBefore() string {
	var s Study
	b, err := os.ReadFile(filepath.Join(w.Out, unfinished))
	if err == nil && json.Unmarshal(b, &s) == nil && s.Machine == ThisMachine(w.device) && s.Settings.Model == shown(w.Model) && s.Settings.DType == w.DType {
		if _, err := torch.ParseKernels(s.Settings.Kernels, torch.CurrentKernels()); err == nil {
			return s.Settings.Kernels
		}
	}
	return kernels.Auto
}

// lock refuses a folder that another process writes to: its study would be moved aside.
func (s *Study) lock(dir string) (err error) {
	if err = os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	ctx, refuse := context.WithCancelCause(context.Background())
	defer refuse(nil)
	s.dir = dir
	s.release, err = file.Lock(ctx, filepath.Join(dir, ".lock"), func(holder string) {
		refuse(fmt.Errorf("-out %s: %s is writing to it: wait until it has ended, or give another folder", dir, holder))
	})
	if file.NoLocks(err) {
		s.release, err = func() {}, nil
	}
	return err
}

// whole returns the records in dir that can be read, by file name, and removes files that were half-written when the study was killed.
func whole(dir string) (map[string]*record.Record, error) {
	kept := map[string]*record.Record{}
	entries, err := os.ReadDir(dir)
	err = errors.Join(err, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && file.Unfinished(e.Name()) {
			return os.Remove(path)
		}
		return err
	}))
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || !strings.Contains(name, "seed=") {
			continue
		}
		if r, err := record.Read(filepath.Join(dir, e.Name())); err == nil && r.FileName() == name {
			kept[name] = r
		}
	}
	return kept, err
}

// moveAside moves what a study wrote in dir to a new folder there, and returns its path, "" if there was nothing. Other files stay.
func moveAside(dir string) (aside string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return !strings.Contains(e.Name(), "seed=") && !slices.Contains(written, e.Name())
	})
	if len(entries) == 0 {
		return "", nil
	}
	for n := 1; aside == "" || errors.Is(err, fs.ErrExist); n++ {
		aside = filepath.Join(dir, "old-"+strconv.Itoa(n))
		err = os.Mkdir(aside, 0o777)
	}
	for _, e := range entries {
		if err == nil {
			err = os.Rename(filepath.Join(dir, e.Name()), filepath.Join(aside, e.Name()))
		}
	}
	return aside, err
}

// difference names the first line in which two descriptions differ.
func difference(before, now []byte) string {
	b, n := strings.Split(string(before), "\n"), strings.Split(string(now), "\n")
	i := 0
	for i < min(len(b), len(n))-1 && b[i] == n[i] {
		i++
	}
	trim := func(s string) string { return strings.TrimSuffix(strings.TrimSpace(s), ",") }
	return trim(b[i]) + ", now " + trim(n[i])
}

// Finish marks the study as finished and unlocks its folder.
func (s *Study) Finish() error {
	defer s.release()
	return errors.Join(os.Remove(filepath.Join(s.dir, unfinished)), os.RemoveAll(filepath.Join(s.dir, ".lock")))
}
