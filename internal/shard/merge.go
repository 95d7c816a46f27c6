package shard

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/internal/file"
)

// shown is how many cells a sentence names.
const shown = 5

// found is a record and the folder it was read from, which is one process's.
type found struct {
	*record.Record
	dir string
}

// grid is what folders hold of a study: its cells by file name, the folders of each seed's cells (also of seeds that are planned and have
// none), the names of arms, cells that several folders have, and folders whose study is unfinished.
type grid struct {
	cells       map[string]found
	seeds       map[int64]map[string]bool
	names       map[string]bool
	twice, open []string
}

// Merge reads the records of a study from folders, and from the folders of parts in them. The notes list cells that no folder has, cells
// that several have, and seeds whose arms ran in several processes: their speeds are not compared. A cell that two folders have with other
// losses is an error, as is a folder without a record.
func Merge(dirs []string) (rs []*record.Record, notes []string, err error) {
	folders, err := parts(dirs)
	if err != nil {
		return nil, nil, err
	}
	g := grid{cells: map[string]found{}, seeds: map[int64]map[string]bool{}, names: map[string]bool{}}
	for _, dir := range folders {
		if err := g.add(dir); err != nil {
			return nil, nil, err
		}
	}
	var missing, scattered []string
	for _, name := range slices.SortedFunc(maps.Keys(g.names), record.Compare) {
		for _, seed := range slices.Sorted(maps.Keys(g.seeds)) {
			c, ok := g.cells[(&record.Record{Name: name, Seed: seed}).FileName()]
			if !ok {
				missing = append(missing, fmt.Sprintf("%s with seed %d", name, seed))
				continue
			}
			c.Scattered = c.Scattered || len(g.seeds[seed]) > 1
			rs = append(rs, c.Record)
		}
	}
	for _, seed := range slices.Sorted(maps.Keys(g.seeds)) {
		if len(g.seeds[seed]) > 1 {
			scattered = append(scattered, strconv.FormatInt(seed, 10))
		}
	}
	if len(rs) == 0 {
		return nil, nil, fmt.Errorf("no part has a record yet: %s", format.Few(folders, shown))
	}
	cells := len(rs) + len(missing)
	absent, n := absentParts(rs, folders)
	for _, note := range []struct {
		items []string
		text  string // with %s for them
	}{
		{g.open, "The study is unfinished in %s: the same command goes on with it."},
		{absent, fmt.Sprintf("Of %d parts these have no record: %%s.", n)},
		{missing, fmt.Sprintf("%d of %d cells are missing: %%s.", len(missing), cells)},
		{g.twice, "In several folders, with equal losses, and counted once: %s."},
		{scattered, "Speeds of these seeds are not compared, since their arms ran in several processes: %s."},
	} {
		if len(note.items) > 0 {
			notes = append(notes, fmt.Sprintf(note.text, format.Few(note.items, shown)))
		}
	}
	return rs, notes, nil
}

// add adds the records and the plan of a folder.
func (g *grid) add(dir string) error {
	list, err := record.ReadDir(dir)
	if err != nil && !begun(dir) {
		return err
	}
	planned, arms, unfinished := plan(dir)
	if unfinished {
		g.open = append(g.open, dir)
	}
	for _, seed := range planned {
		g.folders(seed)
	}
	for _, name := range arms { // one that has failed with every seed has no record
		g.names[name] = true
	}
	for _, r := range list {
		name := r.FileName()
		was, ok := g.cells[name]
		if ok && !reflect.DeepEqual(was.Steps, r.Steps) {
			return fmt.Errorf("%s is in %s and in %s with other losses: they are not of one study", name, was.dir, dir)
		}
		if ok {
			g.twice = append(g.twice, name)
		}
		if ok && (was.Resumed == 0 || r.Resumed > 0) {
			continue // the one that was timed in one piece stays
		}
		if ok {
			delete(g.folders(r.Seed), was.dir)
		}
		g.cells[name], g.names[r.Name] = found{r, dir}, true
	}
	for _, c := range g.cells {
		g.folders(c.Seed)[c.dir] = true
	}
	return nil
}

// folders returns the folders of a seed's cells.
func (g *grid) folders(seed int64) map[string]bool {
	if g.seeds[seed] == nil {
		g.seeds[seed] = map[string]bool{}
	}
	return g.seeds[seed]
}

// absentParts returns the numbers of the parts that none of the records and folders is of, and how many parts there are; no numbers where
// the records are not all of one number of parts.
func absentParts(rs []*record.Record, folders []string) (absent []string, n int) {
	seen := map[int]bool{}
	for _, dir := range folders {
		if of := ofParts.FindStringSubmatch(dir); of != nil {
			i, _ := strconv.Atoi(of[1])
			seen[i-1] = true
		}
	}
	for _, r := range rs {
		p, err := Parse(r.Shard, func(string) string { return "" })
		if err != nil || p.N == 0 || n > 0 && p.N != n {
			return nil, 0
		}
		n, seen[p.I] = p.N, true
	}
	for i := range n {
		if !seen[i] {
			absent = append(absent, strconv.Itoa(i+1))
		}
	}
	return absent, n
}

// plan returns the seeds and the arms of an unfinished study in a folder, and whether there is one: package bench leaves its description there
// until the last run of the folder has ended well.
func plan(dir string) (seeds []int64, arms []string, unfinished bool) {
	b, err := os.ReadFile(filepath.Join(dir, record.Unfinished))
	if err != nil {
		return nil, nil, false
	}
	var study struct {
		Arms     []string
		Settings struct{ Seed int64 }
		Testing  struct {
			Count int64 `json:",string"`
		}
	}
	if json.Unmarshal(b, &study) == nil {
		for i := range study.Testing.Count {
			seeds = append(seeds, study.Settings.Seed+i)
		}
	}
	return seeds, study.Arms, true
}

var ofParts = regexp.MustCompile(`shard-(\d+)-of-(\d+)$`)

// NoRuns is the file of a part that has ended and had no run.
const NoRuns = "no-runs.txt"

// begun reports whether a folder is a part's that has no record, and is not to have one or not yet.
func begun(dir string) bool {
	return !record.In(dir) && ofParts.MatchString(dir) && (file.Exists(filepath.Join(dir, record.Unfinished)) || file.Exists(filepath.Join(dir, NoRuns)))
}

// Refuse returns an error if dir holds what a report would refuse beside a study's part p: parts of another number or, beside parts, records. It
// is asked before hours of training, not after.
func Refuse(dir string, p Part) error {
	for _, d := range in(dir) {
		if n := ofParts.FindStringSubmatch(d)[2]; n != strconv.Itoa(p.N) {
			return fmt.Errorf("-out %s: %s there is of another study: move it away, or give another folder", dir, filepath.Base(d))
		}
	}
	if p.N > 0 && record.In(dir) {
		return fmt.Errorf("-out %s: the records there are of another study, which had no parts: move them away, or give another folder", dir)
	}
	return nil
}

// in returns the folders of parts in dir that have begun, in their order.
func in(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, "shard-*-of-*"))
	return slices.DeleteFunc(found, func(d string) bool {
		return !ofParts.MatchString(d) || !record.In(d) && !begun(d)
	})
}

// parts replaces each folder that has folders of parts by those, in their order. Parts that have not begun are left out. It refuses a folder
// that has parts of different numbers, or parts beside records: they are of several studies.
func parts(dirs []string) (all []string, err error) {
	for _, dir := range dirs {
		found := in(dir)
		for _, d := range found {
			if n, first := ofParts.FindStringSubmatch(d)[2], ofParts.FindStringSubmatch(found[0])[2]; n != first {
				return nil, fmt.Errorf("%s has parts of %s and of %s: they are of several studies: remove those that do not belong, or name folders one by one",
					dir, first, n)
			}
			if record.In(dir) {
				return nil, fmt.Errorf("%s has records and parts, such as %s: they are of several studies: remove those that do not belong, or name folders "+
					"one by one", dir, filepath.Base(d))
			}
		}
		if len(found) == 0 {
			found = []string{dir}
		}
		all = append(all, found...)
	}
	return all, nil
}
