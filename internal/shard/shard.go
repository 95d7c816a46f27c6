// Package shard deals the runs of a study to several processes, and merges what they measured. A cell is one arm with one seed; a block
// is all arms with one seed, whose speeds are compared. What a cell measures does not depend on the process that it is dealt to.
package shard

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Part is number I of the N parts of a study, from 0. The zero Part is a study that is not dealt out.
type Part struct{ I, N int }

// String returns what Parse reads, i/n with i from 1; "" of the zero Part.
func (p Part) String() string {
	if p.N == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.I+1, p.N)
}

// Folder returns the name of the part's folder in that of the study.
func (p Part) Folder() string { return fmt.Sprintf("shard-%d-of-%d", p.I+1, p.N) }

// Parse reads a part: "" is a whole study, i/n the i-th of n from 1, slurm or slurm/n the task of an array job, kubernetes/n the pod of an
// Indexed Job of n completions. getenv is os.Getenv.
func Parse(text string, getenv func(string) string) (Part, error) {
	who, parts, counted := strings.Cut(text, "/")
	n, badN := strconv.Atoi(parts)
	if counted && (badN != nil || n < 1) {
		return Part{}, fmt.Errorf("%q: want a number of parts of at least 1 after the slash", text)
	}
	number := func(name string) (int, error) {
		v, err := strconv.Atoi(getenv(name))
		if err != nil {
			return 0, fmt.Errorf("%s: %s is %q, want a number: is this a task of such a job?", text, name, getenv(name))
		}
		return v, nil
	}
	var i int
	var err error
	switch {
	case text == "":
		return Part{}, nil
	case who == "slurm":
		i, n, err = slurmTask(number, getenv, n)
	case who == "kubernetes" && !counted:
		return Part{}, fmt.Errorf("kubernetes: give the job's completions too, which a pod is not told: -shard=kubernetes/8")
	case who == "kubernetes":
		i, err = number("JOB_COMPLETION_INDEX")
	default:
		if i, err = strconv.Atoi(who); err != nil || !counted {
			return Part{}, fmt.Errorf("%q: want i/n, slurm or kubernetes/n", text)
		}
		i--
	}
	if err != nil {
		return Part{}, err
	}
	if i < 0 || i >= n {
		return Part{}, fmt.Errorf("%s: part %d of %d does not exist", text, i+1, n)
	}
	return Part{i, n}, nil
}

// slurmTask reads the environment of an array job's task. n is how many parts the study has, 0 for as many as the array has tasks: an
// array that repeats some tasks of another must say it.
func slurmTask(number func(string) (int, error), getenv func(string) string, n int) (i, parts int, err error) {
	if i, err = number("SLURM_ARRAY_TASK_ID"); err != nil {
		return 0, 0, err
	}
	if n > 0 {
		return i, n, nil // the array's indexes are the parts, from 0
	}
	if n, err = number("SLURM_ARRAY_TASK_COUNT"); err != nil {
		return 0, 0, err
	}
	first, err := number("SLURM_ARRAY_TASK_MIN")
	if err != nil {
		return 0, 0, err
	}
	step := 1
	if getenv("SLURM_ARRAY_TASK_STEP") != "" {
		if step, err = number("SLURM_ARRAY_TASK_STEP"); err != nil {
			return 0, 0, err
		}
	}
	return (i - first) / max(1, step), n, nil
}

// Cell is one arm with the seed of one block, by their indexes.
type Cell struct{ Block, Arm int }

// Deal returns the cells of each of n parts. costs are the predicted times of a block's arms. Blocks stay whole, so that speeds are
// compared within one process, unless there are more parts than blocks: then cells are dealt one by one. Each goes to the part that has the
// least to do so far, the longest first.
func Deal(blocks int, costs []float64, n int) [][]Cell {
	var pieces [][]Cell
	for b := range blocks {
		var whole []Cell
		for a := range costs {
			whole = append(whole, Cell{b, a})
		}
		if n <= blocks {
			pieces = append(pieces, whole)
			continue
		}
		for _, c := range whole {
			pieces = append(pieces, []Cell{c})
		}
	}
	time := func(piece []Cell) (t float64) {
		for _, c := range piece {
			t += costs[c.Arm]
		}
		return t
	}
	slices.SortStableFunc(pieces, func(a, b []Cell) int { return cmp.Compare(time(b), time(a)) })
	parts, load := make([][]Cell, n), make([]float64, n)
	for _, piece := range pieces {
		least := slices.Index(load, slices.Min(load))
		parts[least] = append(parts[least], piece...)
		load[least] += time(piece)
	}
	return parts
}
