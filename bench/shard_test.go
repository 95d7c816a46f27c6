package bench

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/kernels"
	"lorabench/internal/progress"
	"lorabench/internal/shard"
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
	if part.N == 0 {
		work, err = LoadWorkload(ctx, s, progress.Downloads())
		return err
	}
	shared := ""
	if s.Out != "" && s.Kernels == kernels.Auto {
		shared = filepath.Join(s.Out, "kernels.txt")
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

// readKernels returns the kernels of a study, auto where none were chosen yet.
func readKernels(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kernels.Auto, nil
	}
	return strings.TrimSpace(string(b)), err
}

// agreeOnKernels makes name the study's kernels, unless another process was first, and returns the study's.
func agreeOnKernels(path, name string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".kernels.*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(name + "\n")
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // whole or not at all, and never over another
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return readKernels(path)
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
		if slices.ContainsFunc(a.Targets, func(t string) bool { return strings.HasSuffix(l.Name, t) || t == "all-linear" }) {
			adapter += rank * float64(l.In+l.Out)
		}
	}
	if a.Rank == record.Full {
		return 6 * base
	}
	return 4*base + 6*adapter
}
