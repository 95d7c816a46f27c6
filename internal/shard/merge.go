package shard

import (
	"cmp"
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
)

// shown is how many cells a sentence names.
const shown = 5

// found is a record and the folder it was read from, which is one process's.
type found struct {
	*record.Record
	dir string
}

// Merge reads the records of a study from folders, and from the folders of parts in them. The notes list cells that no folder has, cells
// that several have, and seeds whose arms ran in several processes: their speeds are not compared. A cell that two folders have with other
// losses is an error, as is a folder without a record.
func Merge(dirs []string) (rs []*record.Record, notes []string, err error) {
	cells := map[string]found{}
	seeds, names := map[int64]map[string]bool{}, map[string]bool{}
	var twice, open []string
	folders, err := parts(dirs)
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range folders {
		list, err := record.ReadDir(dir)
		if err != nil {
			return nil, nil, err
		}
		if planned, unfinished := plan(dir); unfinished {
			open = append(open, dir)
			for _, seed := range planned {
				if seeds[seed] == nil {
					seeds[seed] = map[string]bool{}
				}
			}
		}
		for _, r := range list {
			was, ok := cells[r.FileName()]
			if ok && !reflect.DeepEqual(was.Steps, r.Steps) {
				return nil, nil, fmt.Errorf("%s is in %s and in %s with other losses: they are not of one study", r.FileName(), was.dir, dir)
			}
			if ok {
				twice = append(twice, r.FileName())
			}
			if !ok || was.Resumed > 0 && r.Resumed == 0 {
				cells[r.FileName()] = found{r, dir}
			}
		}
	}
	for _, c := range cells {
		if seeds[c.Seed] == nil {
			seeds[c.Seed] = map[string]bool{}
		}
		seeds[c.Seed][c.dir], names[c.Name] = true, true
	}
	var missing, scattered []string
	for _, seed := range slices.Sorted(maps.Keys(seeds)) {
		if len(seeds[seed]) > 1 {
			scattered = append(scattered, strconv.FormatInt(seed, 10))
		}
		for _, name := range slices.SortedFunc(maps.Keys(names), record.Compare) {
			c, ok := cells[(&record.Record{Name: name, Seed: seed}).FileName()]
			if !ok {
				missing = append(missing, fmt.Sprintf("%s with seed %d", name, seed))
				continue
			}
			c.Scattered = c.Scattered || len(seeds[seed]) > 1
			rs = append(rs, c.Record)
		}
	}
	slices.SortStableFunc(rs, func(a, b *record.Record) int {
		return cmp.Or(record.Compare(a.Name, b.Name), cmp.Compare(a.Seed, b.Seed))
	})
	if len(open) > 0 {
		notes = append(notes, fmt.Sprintf("The study is unfinished in %s: the same command goes on with it.", format.Few(open, shown)))
	}
	if absent, n := absentParts(rs); len(absent) > 0 && n <= len(rs)+len(missing) { // of more parts than cells some have none
		notes = append(notes, fmt.Sprintf("Of %d parts these have no record: %s.", n, format.Few(absent, shown)))
	}
	if n := len(missing); n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d cells are missing: %s.", n, n+len(rs), format.Few(missing, shown)))
	}
	if len(twice) > 0 {
		notes = append(notes, fmt.Sprintf("In several folders, with equal losses, and counted once: %s.", format.Few(twice, shown)))
	}
	if len(scattered) > 0 {
		notes = append(notes, fmt.Sprintf("Speeds of these seeds are not compared, since their arms ran in several processes: %s.", format.Few(scattered, shown)))
	}
	return rs, notes, nil
}

// absentParts returns the numbers of the parts that none of the records is of, and how many parts there are; no numbers where the records
// are not all of one number of parts.
func absentParts(rs []*record.Record) (absent []string, n int) {
	seen := map[int]bool{}
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

// plan returns the seeds of an unfinished study in a folder, and whether there is one: package bench leaves its description there until the
// last run of the folder has ended well.
func plan(dir string) (seeds []int64, unfinished bool) {
	b, err := os.ReadFile(filepath.Join(dir, "unfinished.json"))
	if err != nil {
		return nil, false
	}
	var study struct {
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
	return seeds, true
}

var ofParts = regexp.MustCompile(`shard-\d+-of-(\d+)$`)

// parts replaces each folder that has folders of parts by those, in their order. Parts without a record are left out: their cells are
// missing from the grid. It refuses a folder that has parts of different numbers, or parts beside records: they are of several studies.
func parts(dirs []string) (all []string, err error) {
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "shard-*-of-*"))
		found = slices.DeleteFunc(found, func(d string) bool {
			rs, unread := record.Readable(d)
			return len(rs)+len(unread) == 0 || !ofParts.MatchString(d)
		})
		rs, unread := record.Readable(dir)
		for _, d := range found {
			if n, first := ofParts.FindStringSubmatch(d)[1], ofParts.FindStringSubmatch(found[0])[1]; n != first {
				return nil, fmt.Errorf("%s has parts of %s and of %s: they are of several studies: remove those that do not belong, or name folders one by one",
					dir, first, n)
			}
			if len(rs)+len(unread) > 0 {
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
