package results

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// Settings are what results were measured with: a file's configuration lines, or a record's settings.
type Settings struct {
	Keys, Values []string // in the order of the file
	Where        string   // the place of the first result that they hold for
	Seed         int64
	Seeded       bool // Seed is the configuration's
}

// Get returns the value of key, "" where there is none.
func (s *Settings) Get(key string) string {
	if i := slices.Index(s.Keys, key); i >= 0 {
		return s.Values[i]
	}
	return ""
}

// add appends alternating keys and values.
func (s *Settings) add(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		s.Keys, s.Values = append(s.Keys, fmt.Sprint(pairs[i])), append(s.Values, fmt.Sprint(pairs[i+1]))
	}
}

// addFields appends a struct's fields by JSON key, so that a setting that is added later is compared without a change here.
func (s *Settings) addFields(v any, leave func(key string) bool) {
	for field, value := range reflect.ValueOf(v).Fields() {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "-" && !leave(key) {
			s.add(key, value.Interface())
		}
	}
}

// The settings that may differ between compared results: they do not change what is measured, or only together with another that does. A
// note names those of the first list; those of the second differ within every study, alpha because it may follow the rank.
var (
	noted  = []string{"commit", "note", "date", "time", "go", "driver", "os", "goos"}
	varied = []string{"pkg", "seed", "lora_alpha", "use_rslora"}
	free   = slices.Concat(noted, varied)
)

// MayDiffer reports whether results that differ in a setting can still be compared.
func MayDiffer(key string) bool { return slices.Contains(free, key) }

// Agree refuses settings of several studies, naming both values and places. Those in differ may differ too. The notes name what differs.
func Agree(sets []*Settings, differ ...string) (notes []string, err error) {
	return agree(sets, slices.Concat(free, differ), "they are not of one study: compare them apart, each study in files or a folder of its own")
}

// OneStudy returns the settings of records. It refuses records that are not of one program, run on one machine with one configuration;
// runs that diverged are skipped.
func OneStudy(rs []*record.Record, differ ...string) (sets []*Settings, err error) {
	for _, r := range rs {
		if r.Diverged == 0 {
			sets = append(sets, ofRecord(r))
		}
	}
	_, err = agree(sets, slices.Concat(varied, differ),
		"the records are not of one study: put those of each commit, machine and configuration into a folder of its own, or name with -differ what may differ")
	return sets, err
}

func agree(sets []*Settings, free []string, why string) (notes []string, err error) {
	first, values := map[string]*Settings{}, map[string][]string{}
	for _, s := range sets {
		for i, key := range s.Keys {
			switch had := first[key]; {
			case had == nil:
				first[key], values[key] = s, []string{s.Values[i]}
			case slices.Contains(values[key], s.Values[i]):
			case slices.Contains(free, key):
				values[key] = append(values[key], s.Values[i])
			default:
				return nil, fmt.Errorf("%s is %q in %s and %q in %s: %s", key, had.Get(key), had.Where, s.Values[i], s.Where, why)
			}
		}
	}
	for _, key := range free {
		if vs := values[key]; len(vs) > 1 && !slices.Contains(varied, key) {
			notes = append(notes, fmt.Sprintf("The runs are not all of one %s: %s.", key, strings.Join(vs, ", ")))
		}
	}
	return notes, nil
}

// Unsaid names the settings that only some of several files state: whether the others have the same is not known.
func Unsaid(sets []*Settings) (notes []string) {
	saying := map[string][]string{}
	for _, s := range sets {
		for _, key := range s.Keys {
			saying[key] = append(saying[key], filepath.Base(s.Where))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(saying)) {
		if n := len(saying[key]); n < len(sets) && !MayDiffer(key) {
			notes = append(notes, fmt.Sprintf("Only some results say their %s: those of %s.", key, format.Few(saying[key], 3)))
		}
	}
	return notes
}

// Settings of records that an arm's name states, by the part of the name, and those that mean nothing for rank full.
var (
	named   = map[string]string{"learning_rate": "/lr=", "target_modules": "/targets="}
	adapted = []string{"target_modules", "use_dora", "lora_dropout", "adapter"}
)

// ofRecord returns a record's settings as result files have them, the Trainer's and PEFT's under their own keys.
func ofRecord(r *record.Record) *Settings {
	s := &Settings{Where: r.FileName(), Seed: r.Seed, Seeded: true}
	s.add("model", r.Model.Name, "model-revision", r.Model.Revision, "model-sha256", r.Model.SHA256,
		"data", r.Data.Name, "data-revision", r.Data.Revision, "data-sha256", r.Data.SHA256,
		"train_records", r.Data.Train, "eval_records", r.Data.Held,
		"device", r.Machine.Device, "gpu", r.Machine.GPU, "cpu", r.Machine.CPU, "threads", r.Machine.Threads,
		"torch", r.Machine.Torch, "commit", r.Machine.Commit, "driver", r.Machine.Driver, "go", r.Machine.Go, "os", r.Machine.OS,
		"steps", r.GlobalStep)
	s.addFields(r.Settings, func(key string) bool {
		part, inName := named[key]
		return slices.Contains(s.Keys, key) || // what was asked for; above is what it resolved to
			key == "kernels" && r.Settings.Kernels == "" || // from before there was a choice, or with CUDA
			inName && strings.Contains(r.Name, part) || r.Rank == record.Full && slices.Contains(adapted, key)
	})
	return s
}

// ofArm returns the settings in which runs of one name must agree, and the seed.
func ofArm(r *record.Record) *Settings {
	s := &Settings{Where: r.FileName()}
	s.addFields(r.Settings, func(string) bool { return false })
	s.add("rank", r.Rank, "scaling", r.Scaling, "trainable_parameters", r.Trainable)
	return s
}
