package compare

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
)

// FromRecords makes a Set of run records. Besides the metrics of result lines it has adapter-bytes
// and trainable-parameters. Records that are not of one study (another model, data, recipe, device,
// number of steps, ...) are refused with both values named; so are two of the same arm and seed, and
// figures that are not finite. The commit, driver, Go and operating system may differ: a note says so.
func FromRecords(rs []*record.Record) (*Set, error) {
	if len(rs) == 0 {
		return nil, fmt.Errorf("compare: no run records")
	}
	rs, left, err := record.Finite(rs)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	base := rs[0]
	if i := slices.IndexFunc(rs, func(r *record.Record) bool { return r.Rank != record.Full }); i >= 0 {
		base = rs[i] // an adapter's settings mean nothing to rank full
	}
	b := newBuilder()
	first := map[string]*record.Record{}
	loose := map[string][]string{}
	for _, r := range rs {
		if r.Name == "" || r.GlobalStep < 1 || !(r.Runtime > 0) {
			return nil, fmt.Errorf("compare: record %q, seed %d, has %d steps in %v s: it is of no finished run", r.Name, r.Seed, r.GlobalStep, r.Runtime)
		}
		if err := sameStudy(base, r, loose); err != nil {
			return nil, err
		}
		if f := first[r.Name]; f == nil {
			first[r.Name] = r
		} else if err := sameArm(f, r); err != nil {
			return nil, err
		}
		a := b.arm(r.Name)
		if slices.ContainsFunc(a.Runs, func(x Run) bool { return x.Seed == r.Seed }) {
			return nil, fmt.Errorf("compare: two records of %s with seed %d: runs are paired by seed, give each record once", r.Name, r.Seed)
		}
		run := Run{Seed: r.Seed, Values: map[string]float64{}}
		ms := r.Metrics()
		if r.AdapterBytes > 0 {
			ms = append(ms, record.Metric{Unit: adapterBytes, Value: float64(r.AdapterBytes)})
		}
		if r.Trainable > 0 {
			ms = append(ms, record.Metric{Unit: parameters, Value: float64(r.Trainable)})
		}
		for _, m := range ms {
			if err := finite(m.Value); err != nil {
				return nil, fmt.Errorf("compare: %s: %s is %w", r.FileName(), m.Unit, err)
			}
			b.unit(m.Unit)
			run.Values[m.Unit] = m.Value
		}
		a.Runs = append(a.Runs, run)
	}
	s := b.set(func(u string) string { d, _ := Direction(u); return d })
	s.Config = recordConfig(base)
	if left != "" {
		s.Notes = append(s.Notes, left)
	}
	for _, key := range []string{"commit", "driver", "go", "os"} {
		if vs := loose[key]; len(vs) > 1 {
			s.Notes = append(s.Notes, fmt.Sprintf("The runs are not all of one %s: %s.", key, strings.Join(vs, ", ")))
		}
	}
	return s, nil
}

// field is a setting by its JSON key.
type field struct {
	key   string
	value any
}

// fields are a struct's fields by JSON key, but for skipped keys: a setting that is added later is
// compared without a change here.
func fields(v any, skip ...string) []field {
	var fs []field
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		key, _, _ := strings.Cut(r.Type().Field(i).Tag.Get("json"), ",")
		if key != "-" && !slices.Contains(skip, key) {
			fs = append(fs, field{key, r.Field(i).Interface()})
		}
	}
	return fs
}

// free are settings that may differ from arm to arm without the name saying so: alpha may follow the
// rank. named are those that may where the name says so; adapted mean nothing to rank full.
var (
	free    = []string{"seed", "lora_alpha", "use_rslora"}
	named   = map[string]string{"/lr=": "learning_rate", "/targets=": "target_modules"}
	adapted = []string{"target_modules", "use_dora", "lora_dropout", "adapter"}
)

// sameStudy refuses b if it was not made as a was. Values of what may differ are gathered in loose.
func sameStudy(a, b *record.Record, loose map[string][]string) error {
	skip := slices.Clone(free)
	if b.Rank == record.Full {
		skip = append(skip, adapted...)
	}
	for key, setting := range named {
		if strings.Contains(a.Name, key) && strings.Contains(b.Name, key) {
			skip = append(skip, setting)
		}
	}
	of := func(r *record.Record) []field {
		fs := fields(r.Settings, skip...)
		return append(fs, field{"global_step", r.GlobalStep},
			field{"model", r.Model.Name}, field{"model revision", r.Model.Revision}, field{"model sha256", r.Model.SHA256},
			field{"data", r.Data.Name}, field{"data revision", r.Data.Revision}, field{"data sha256", r.Data.SHA256},
			field{"train_records", r.Data.Train}, field{"eval_records", r.Data.Held},
			field{"device", r.Machine.Device}, field{"gpu", r.Machine.GPU}, field{"cpu", r.Machine.CPU},
			field{"threads", r.Machine.Threads}, field{"torch", r.Machine.Torch})
	}
	for key, v := range map[string]string{"commit": b.Machine.Commit, "driver": b.Machine.Driver, "go": b.Machine.Go, "os": b.Machine.OS} {
		if !slices.Contains(loose[key], v) {
			loose[key] = append(loose[key], v)
		}
	}
	return differ(a, b, of(a), of(b), "they are not of one study: keep each study's records in a folder of its own")
}

// sameArm refuses b if it differs from a in anything but its seed.
func sameArm(a, b *record.Record) error {
	of := func(r *record.Record) []field {
		return append(fields(r.Settings, "seed"), field{"rank", r.Rank}, field{"scaling", r.Scaling}, field{"trainable_parameters", r.Trainable})
	}
	return differ(a, b, of(a), of(b), "runs of one name must differ in their seed only")
}

func differ(a, b *record.Record, as, bs []field, why string) error {
	for i := range as {
		if !reflect.DeepEqual(as[i].value, bs[i].value) {
			return fmt.Errorf("compare: %s has %s %v, %s has %v: %s", a.FileName(), as[i].key, show(as[i].value), b.FileName(), show(bs[i].value), why)
		}
	}
	return nil
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

// recordConfig is the configuration as result files have it, and what the words need.
func recordConfig(r *record.Record) []Config {
	dtype := r.Settings.DType
	if r.Settings.TF32 {
		dtype += ", tf32"
	}
	all := []Config{
		{"model", r.Model.Name}, {"data", r.Data.Name}, {"recipe", r.Settings.Recipe}, {"device", r.Machine.Device},
		{"gpu", r.Machine.GPU}, {"torch", r.Machine.Torch}, {"dtype", dtype}, {"commit", r.Machine.Commit},
		{"steps", strconv.Itoa(r.GlobalStep)},
	}
	if t := r.Settings.TargetLoss; t > 0 {
		all = append(all, Config{"target-loss", strconv.FormatFloat(t, 'g', -1, 64)})
	}
	return slices.DeleteFunc(all, func(c Config) bool { return c.Value == "" })
}
