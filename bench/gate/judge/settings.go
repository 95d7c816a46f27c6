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

// settings finds what differs between the sides, or within one, that makes them another study. Settings that differ and may,
// since -ignore or libtorch allows it, change what a seed gives.
func (j *judging) settings() {
	keys := j.differing()
	told := map[string]bool{}
	for i := range j.matched {
		m := &j.matched[i]
		olds, news := settingsOf(m.old), settingsOf(m.new)
		m.deterministic = sameMachine(olds) && sameMachine(news)
		for _, key := range keys {
			a, whereA := valuesIn(olds, key)
			b, whereB := valuesIn(news, key)
			if len(a) == 0 || len(b) == 0 || len(a) == 1 && slices.Equal(a, b) {
				continue
			}
			m.deterministic = false
			text := fmt.Sprintf("%s is %s in %s and %s in %s", key, whereA, j.Baseline.Label, whereB, j.New.Label)
			switch {
			case told[text]:
			case key == "torch" || slices.Contains(j.Ignore, key):
				j.note("%s: losses are tested, not compared value by value.", text)
			default:
				j.problem(Mismatch, m.name, "", "%s: compare results of one %s, or give -ignore=%s where that is what is compared",
					text, key, key)
			}
			told[text] = true
		}
		j.steps(m)
	}
	if len(j.matched) > 0 {
		j.Notes = append(j.Notes, results.Unsaid(slices.Concat(j.old.Settings, j.new.Settings))...)
	}
}

// differing are the settings that must agree and have more than one value.
func (j *judging) differing() (keys []string) {
	first := map[string]string{}
	for _, c := range slices.Concat(j.Baseline.Config, j.New.Config) {
		for _, v := range c.Values {
			if _, ok := first[c.Key]; !ok {
				first[c.Key] = v
			}
			if v != first[c.Key] && !results.MayDiffer(c.Key) && !slices.Contains(keys, c.Key) {
				keys = append(keys, c.Key)
			}
		}
	}
	return keys
}

// settingsOf are those of a benchmark's runs, each once.
func settingsOf(b *results.Benchmark) (out []*results.Settings) {
	for i := range b.Runs {
		if s := b.Runs[i].Config; len(out) == 0 || out[len(out)-1] != s && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// valuesIn are a key's values among settings, and in words where each was first seen.
func valuesIn(sets []*results.Settings, key string) (values []string, where string) {
	var said []string
	for _, set := range sets {
		if v := set.Get(key); v != "" && !slices.Contains(values, v) {
			values, said = append(values, v), append(said, fmt.Sprintf("%s (%s)", strconv.Quote(v), filepath.Base(set.Where)))
		}
	}
	return values, format.List(said)
}

// sameMachine reports whether the same seed must give the same loss: on a CPU, with everything known.
func sameMachine(sets []*results.Settings) bool {
	for _, s := range sets {
		for _, key := range []string{"seed", "torch", "cpu", "threads", "dtype"} {
			if s.Get("device") != "cpu" || s.Get(key) == "" {
				return false
			}
		}
	}
	return true
}

// steps finds trainings of different lengths: their losses and schedules are not the same thing.
func (j *judging) steps(m *matched) {
	if !strings.HasPrefix(m.old.Bare, results.Rank+"/") {
		return
	}
	of := func(b *results.Benchmark) (out []string) {
		for i := range b.Runs {
			out = append(out, strconv.Itoa(b.Runs[i].Iters))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if a, b := of(m.old), of(m.new); len(a) > 1 || !slices.Equal(a, b) {
		j.problem(Mismatch, m.name, "", "%s took %s steps in %s and %s in %s: run both with the same -benchtime=Nx", m.name,
			format.Few(a, 4), j.Baseline.Label, format.Few(b, 4), j.New.Label)
	}
}

// side is what is shown of a side.
func side(in *Input, label string) Side {
	s := Side{Label: in.Label, Files: in.Files}
	if s.Label == "" {
		s.Label = label
	}
	at := map[string]int{}
	for _, set := range in.Settings {
		for i, k := range set.Keys {
			n, ok := at[k]
			if !ok {
				n = len(s.Config)
				at[k], s.Config = n, append(s.Config, Config{Key: k})
			}
			if c, v := &s.Config[n], set.Values[i]; !slices.Contains(c.Values, v) {
				c.Values = append(c.Values, v)
			}
		}
	}
	return s
}
