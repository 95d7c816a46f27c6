package judge

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"
)

// computed are the keys on which a loss depends besides the seed.
var computed = []string{"device", "torch", "cpu", "threads", "dtype", "goarch", "gpu", "model", "model-sha256", "data", "data-sha256", "recipe", "settings"}

// said are the values of a key on a side, and where each was first seen.
type said struct{ values, where []string }

func (s said) String() string {
	var parts []string
	for i, v := range s.values {
		parts = append(parts, fmt.Sprintf("%s (%s)", strconv.Quote(v), s.where[i]))
	}
	return format.List(parts)
}

// settingsOf are those of a benchmark's runs, each once.
func settingsOf(b *results.Benchmark) (out []*results.Settings) {
	seen := map[*results.Settings]bool{}
	for i := range b.Runs {
		if s := b.Runs[i].Config; !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// saidOf are a key's values among settings.
func saidOf(sets []*results.Settings, key string) said {
	var s said
	for _, set := range sets {
		if v := set.Get(key); v != "" && !slices.Contains(s.values, v) {
			s.values = append(s.values, v)
			s.where = append(s.where, filepath.Base(set.Where))
		}
	}
	return s
}

// configuration finds what differs between the sides, or within one, that makes them another study.
func (j *judging) configuration() {
	all := map[string][]string{} // values of each key over both sides
	var keys []string
	for _, c := range slices.Concat(j.Baseline.Config, j.New.Config) {
		if results.MayDiffer(c.Key) {
			continue
		}
		if all[c.Key] == nil {
			keys = append(keys, c.Key)
		}
		for _, v := range c.Values {
			if !slices.Contains(all[c.Key], v) {
				all[c.Key] = append(all[c.Key], v)
			}
		}
	}
	found := map[string]*differences{}
	for i := range j.matched {
		m := &j.matched[i]
		olds, news := settingsOf(m.old), settingsOf(m.new)
		m.deterministic = sameMachine(olds, news)
		for _, key := range keys {
			if len(all[key]) < 2 {
				continue
			}
			a, b := saidOf(olds, key), saidOf(news, key)
			if len(a.values) == 0 || len(b.values) == 0 || len(a.values) == 1 && slices.Equal(a.values, b.values) {
				continue
			}
			if slices.Contains(computed, key) {
				m.deterministic = false
			}
			if !slices.Contains(j.Ignore, key) {
				if found[key] == nil {
					found[key] = &differences{}
				}
				found[key].add(m.name, fmt.Sprintf("%s is %s in %s and %s in %s", key, a, j.Baseline.Label, b, j.New.Label))
			}
		}
		j.steps(m)
	}
	for _, key := range keys {
		if found[key] == nil {
			continue
		}
		for _, d := range *found[key] {
			name, where := "", ""
			if len(d.names) < len(j.matched) {
				name, where = d.names[0], " for "+format.Few(d.names, 4)
			}
			if key == "torch" {
				j.note("%s%s: losses are tested, not compared value by value.", d.text, where)
				continue
			}
			j.problem(Mismatch, name, "", "%s%s: compare results of one %s, or give -ignore=%s where that is what is compared", d.text, where, key, key)
		}
	}
	j.oneSided(keys)
}

// differences are what was found, each once with the benchmarks that it was found for.
type differences []difference

type difference struct {
	text  string
	names []string
}

func (d *differences) add(name, text string) {
	if i := slices.IndexFunc(*d, func(x difference) bool { return x.text == text }); i >= 0 {
		(*d)[i].names = append((*d)[i].names, name)
		return
	}
	*d = append(*d, difference{text, []string{name}})
}

// sameMachine says whether the same seed must give the same loss: on a CPU, with everything known.
func sameMachine(olds, news []*results.Settings) bool {
	for _, s := range slices.Concat(olds, news) {
		if s.Get("device") != "cpu" {
			return false
		}
		for _, key := range []string{"seed", "torch", "cpu", "threads", "dtype"} {
			if s.Get(key) == "" {
				return false
			}
		}
	}
	return true
}

// steps finds trainings of different lengths: their losses and schedules are not the same thing.
func (j *judging) steps(m *matched) {
	if !strings.HasPrefix(m.old.Bare, "Rank/") {
		return
	}
	of := func(b *results.Benchmark) (out []string) {
		last := -1
		for i := range b.Runs {
			if n := b.Runs[i].Iters; n != last {
				last = n
				if s := strconv.Itoa(n); !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
		return out
	}
	a, b := of(m.old), of(m.new)
	if len(a) == 1 && len(b) == 1 && a[0] == b[0] {
		return
	}
	j.problem(Mismatch, m.name, "", "%s took %s steps in %s and %s in %s: run both with the same -benchtime=Nx", m.name, format.Few(a, 4), j.Baseline.Label, format.Few(b, 4), j.New.Label)
}

// oneSided notes keys that one side does not say.
func (j *judging) oneSided(keys []string) {
	if len(j.matched) == 0 {
		return
	}
	has := func(s Side, key string) bool {
		return slices.ContainsFunc(s.Config, func(c Config) bool { return c.Key == key })
	}
	var old, new []string
	for _, k := range keys {
		switch a, b := has(j.Baseline, k), has(j.New, k); {
		case a && !b:
			old = append(old, k)
		case b && !a:
			new = append(new, k)
		}
	}
	if len(old) > 0 {
		j.note("Only %s says its %s: whether it is the same in %s is not known.", j.Baseline.Label, format.List(old), j.New.Label)
	}
	if len(new) > 0 {
		j.note("Only %s says its %s: whether it is the same in %s is not known.", j.New.Label, format.List(new), j.Baseline.Label)
	}
}
