package bench

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lorabench/bench/record"
	"lorabench/internal/kernels"
	"lorabench/internal/progress"
	"lorabench/internal/shard"
	"lorabench/internal/torch"
	"lorabench/lora"
)

var (
	partOf = flag.String("shard", "", "train one `part` of the study, with -out in a folder of its own: i/n, slurm, slurm/n or kubernetes/n;\n"+
		"whole blocks are dealt out, where there are as many")

	part  shard.Part
	dealt []shard.Cell // of this part
)

// loadPart loads the workload of the part that -shard names. All parts of a study in one folder compute with the kernels of the first that
// chose some.
func loadPart(s Settings) (err error) {
	if part, err = shard.Parse(*partOf, os.Getenv); err != nil {
		return fmt.Errorf("-shard: %w", err)
	}
	if s.Out != "" {
		if err := shard.Refuse(s.Out, part); err != nil {
			return err
		}
	}
	if part.N > seeds && filtered() {
		return fmt.Errorf("-shard=%s: there are more parts than seeds (%d), so arms are dealt one by one, before -bench and -skip choose among them: use fewer parts, "+
			"or name the arms with -ranks and -lr", part, seeds)
	}
	if part.N == 0 {
		work, err = LoadWorkload(ctx, s, progress.Downloads())
		return err
	}
	shared := ""
	if s.Out != "" && s.Kernels == kernels.Auto && s.Device == "cpu" {
		shared = filepath.Join(s.Out, sharedKernels(s))
		if s.Kernels, err = readKernels(shared); err != nil {
			return err
		}
	}
	if s.Out != "" {
		s.Out = filepath.Join(s.Out, part.Folder())
	}
	if work, err = LoadWorkload(ctx, s, progress.Downloads()); err != nil {
		return err
	}
	if shared != "" && work.Kernels != "" && s.Kernels == kernels.Auto {
		if s.Kernels, err = agreeOnKernels(shared, work.Kernels); err == nil && s.Kernels != work.Kernels {
			work.Close() // what it computed has other last digits
			work, err = LoadWorkload(ctx, s, progress.Downloads())
		}
	}
	if err == nil {
		dealt = shard.Deal(seeds, each(work.Arms(), cost), part.N)[part.I]
		if len(dealt) == 0 {
			fmt.Fprintf(os.Stderr, "Part %s of the study has no run: there are %d.\n", part, seeds*len(work.Arms()))
		}
	}
	return err
}

// filtered reports whether flags of go test choose among the arms.
func filtered() bool { return strings.Contains(testFlag("bench"), "/") || testFlag("skip") != "" }

// sharedKernels names the file of a study's kernels: they are of one model, type and machine.
func sharedKernels(s Settings) string {
	return fmt.Sprintf("kernels-%.6x.txt", sha256.Sum256(fmt.Append(nil, shown(s.Model), s.DType, kernels.Processor(), torch.Threads(), torch.Version())))
}

// readKernels returns the kernels of a study, auto where none were chosen yet. It waits for a process that is writing them.
func readKernels(path string) (string, error) {
	for range 100 {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return kernels.Auto, nil
		}
		if name, whole := strings.CutSuffix(string(b), "\n"); err != nil || whole {
			return name, err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", fmt.Errorf("%s was not written to its end: remove it", path)
}

// agreeOnKernels makes name the study's kernels, unless another process was first, and returns the study's.
func agreeOnKernels(path, name string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return readKernels(path)
	}
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(name + "\n")
	return name, errors.Join(err, f.Close())
}

// ours reports whether any of the arms is dealt to this process with the seed of the block.
func ours(arms ...Arm) bool {
	all := work.Arms()
	return part.N == 0 || slices.ContainsFunc(dealt, func(c shard.Cell) bool {
		return c.Block == block && slices.ContainsFunc(arms, func(a Arm) bool { return a.Name == all[c.Arm].Name })
	})
}

// cost predicts an arm's time from the products of a step: four operations for each weight and token of the frozen base, six for a weight
// that is trained.
func cost(a Arm) float64 {
	base, adapter := 0.0, 0.0
	rank, _ := strconv.ParseFloat(a.Rank, 64) // 0 for full
	for _, l := range work.Base.Linears() {
		base += float64(l.In * l.Out)
		if slices.ContainsFunc(a.Targets, func(t string) bool { return strings.HasSuffix(l.Name, t) || lora.IsAllLinear(t) }) {
			adapter += rank * float64(l.In+l.Out)
		}
	}
	if a.Rank == record.Full {
		return 6 * base
	}
	return 4*base + 6*adapter
}
