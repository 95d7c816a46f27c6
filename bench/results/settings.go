package results

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// Settings are what holds for results: the configuration lines of a file, or what a record says.
type Settings struct {
	Keys, Values []string // in the order of the file
	Where        string   // the place of the first result that they hold for
	Seed         int64
	Seeded       bool
}

// Get is the value of key, "" where there is none.
func (s *Settings) Get(key string) string {
	if i := slices.Index(s.Keys, key); i >= 0 {
		return s.Values[i]
	}
	return ""
}

func (s *Settings) add(key string, value any) {
	s.Keys, s.Values = append(s.Keys, key), append(s.Values, fmt.Sprint(value))
}

// are reports whether a result's configuration is these settings.
func (s *Settings) are(config []benchfmt.Config) bool {
	if len(config) != len(s.Keys) {
		return false
	}
	for i, c := range config {
		if c.Key != s.Keys[i] || string(c.Value) != s.Values[i] {
			return false
		}
	}
	return true
}

// free are the settings that may differ between results that are compared: they do not change what is measured, or not
// without another one that does. Of arms, alpha may follow the rank.
var free = []string{"commit", "note", "date", "time", "go", "driver", "os", "goos", "pkg", "seed", "lora_alpha", "use_rslora"}

// varied are those of free that may differ within one study.
var varied = []string{"seed", "lora_alpha", "use_rslora"}

// MayDiffer reports whether results that differ in a setting can be compared all the same.
func MayDiffer(key string) bool { return slices.Contains(free, key) }

// Agree refuses settings that are not of one study, with both values and places. The notes name what may differ and does.
func Agree(sets []*Settings) (notes []string, err error) {
	return agree(sets, MayDiffer, "they are not of one study: compare them apart, each study in files or a folder of its own")
}

// OneStudy refuses settings that are not of one program, run on one machine with one configuration, as a study's records are.
func OneStudy(sets []*Settings) error {
	_, err := agree(sets, func(key string) bool { return slices.Contains(varied, key) },
		"the records are not of one study: put those of each commit, machine and configuration into a folder of its own")
	return err
}

func agree(sets []*Settings, mayDiffer func(key string) bool, why string) (notes []string, err error) {
	first := map[string]*Settings{}
	loose := map[string][]string{}
	for _, s := range sets {
		for i, key := range s.Keys {
			switch had := first[key]; {
			case had == nil:
				first[key] = s
				loose[key] = []string{s.Values[i]}
			case slices.Contains(loose[key], s.Values[i]):
			case mayDiffer(key):
				loose[key] = append(loose[key], s.Values[i])
			default:
				return nil, fmt.Errorf("%s is %q in %s and %q in %s: %s", key, had.Get(key), had.Where, s.Values[i], s.Where, why)
			}
		}
	}
	for _, key := range free {
		if vs := loose[key]; len(vs) > 1 && key != "pkg" && !slices.Contains(varied, key) {
			notes = append(notes, fmt.Sprintf("The runs are not all of one %s: %s.", key, strings.Join(vs, ", ")))
		}
	}
	return notes, nil
}

// Unsaid names the settings that only some of several files say: whether the others have the same is not known.
func Unsaid(sets []*Settings) (notes []string) {
	saying := map[string][]string{}
	var keys []string
	for _, s := range sets {
		for _, key := range s.Keys {
			if saying[key] == nil {
				keys = append(keys, key)
			}
			saying[key] = append(saying[key], filepath.Base(s.Where))
		}
	}
	for _, key := range keys {
		if n := len(saying[key]); n < len(sets) && !MayDiffer(key) {
			notes = append(notes, fmt.Sprintf("Only some results say their %s: those of %s.", key, format.Few(saying[key], 3)))
		}
	}
	return notes
}

// Settings of records that an arm's name says, by the part of the name, and those that mean nothing to rank full.
var (
	named   = map[string]string{"learning_rate": "/lr=", "target_modules": "/targets="}
	adapted = []string{"target_modules", "use_dora", "lora_dropout", "adapter"}
)

// ofRecord are a record's settings as result files have them, the Trainer's and PEFT's under their own keys.
func ofRecord(r *record.Record) *Settings {
	s := &Settings{Where: r.FileName(), Seed: r.Seed, Seeded: true}
	s.add("model", r.Model.Name)
	s.add("model-revision", r.Model.Revision)
	s.add("model-sha256", r.Model.SHA256)
	s.add("data", r.Data.Name)
	s.add("data-revision", r.Data.Revision)
	s.add("data-sha256", r.Data.SHA256)
	s.add("train_records", r.Data.Train)
	s.add("eval_records", r.Data.Held)
	s.add("device", r.Machine.Device)
	s.add("gpu", r.Machine.GPU)
	s.add("cpu", r.Machine.CPU)
	s.add("threads", r.Machine.Threads)
	s.add("torch", r.Machine.Torch)
	s.add("commit", r.Machine.Commit)
	s.add("driver", r.Machine.Driver)
	s.add("go", r.Machine.Go)
	s.add("os", r.Machine.OS)
	s.add("steps", r.GlobalStep)
	for key, value := range jsonFields(r.Settings) {
		part, inName := named[key]
		switch {
		case slices.Contains(s.Keys, key): // the name it was given by; what it is stands above
		case inName && strings.Contains(r.Name, part):
		case r.Rank == record.Full && slices.Contains(adapted, key):
		default:
			s.add(key, value)
		}
	}
	return s
}

// ofArm are the settings in which runs of one name must agree: all but the seed.
func ofArm(r *record.Record) *Settings {
	s := &Settings{Where: r.FileName()}
	for key, value := range jsonFields(r.Settings) {
		s.add(key, value)
	}
	s.add("rank", r.Rank)
	s.add("scaling", r.Scaling)
	s.add("trainable_parameters", r.Trainable)
	return s
}

// jsonFields are a struct's fields by JSON key: a setting that is added later is compared without a change here.
func jsonFields(v any) func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		r := reflect.ValueOf(v)
		for i := range r.NumField() {
			key, _, _ := strings.Cut(r.Type().Field(i).Tag.Get("json"), ",")
			if key != "-" && !yield(key, r.Field(i).Interface()) {
				return
			}
		}
	}
}
