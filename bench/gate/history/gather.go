package history

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"lorabench/bench/gate/judge"
	"lorabench/bench/record"
)

// gatherer puts the values of result sets, given in the order of their times, into series.
type gatherer struct {
	byClass map[string]*Class
	byTrend map[trendKey]*trend
	order   []*Class
	better  map[string]told // by tidied unit
	seen    map[configured]*Class
}

// configured is what the class of a result follows from.
type configured struct {
	settings *judge.Settings
	procs    int
}

// trendKey is what the results of a trend have in common.
type trendKey struct {
	class, pkg, benchmark string
	steps                 int
	unit                  string // tidied
}

// trend is a Trend in the making.
type trend struct {
	*Trend
	factor  float64 // from its unit to the tidied one
	commits map[string]int
	series  map[string]map[int][]float64 // by name and commit
	rank    int                          // where the metric stood among its benchmark's
}

// told is a direction and who said so.
type told struct{ better, where string }

func newGatherer() *gatherer {
	return &gatherer{byClass: map[string]*Class{}, byTrend: map[trendKey]*trend{}, better: map[string]told{}, seen: map[configured]*Class{}}
}

// add takes a file's results.
func (g *gatherer) add(f File, in *judge.Input) error {
	for _, b := range in.Benchmarks {
		bench, sub, _ := strings.Cut(bare(b, in), "/")
		for rank, m := range b.Metrics {
			if err := g.direct(f, m); err != nil {
				return err
			}
			tidied, factor := tidy(m.Unit)
			for i, v := range m.Values {
				run := b.Runs[m.Runs[i]]
				c := g.class(run.Config, b.Procs)
				key := trendKey{class: c.ID, pkg: b.Pkg, benchmark: bench, unit: tidied}
				if bench == "Rank" {
					key.steps = run.Iters
				}
				t := g.byTrend[key]
				if t == nil {
					t = &trend{
						Trend:  &Trend{Package: b.Pkg, Benchmark: bench, Steps: key.steps, Unit: m.Unit, Class: m.Class},
						factor: factor, commits: map[string]int{}, series: map[string]map[int][]float64{}, rank: rank,
					}
					g.byTrend[key] = t
					c.Trends = append(c.Trends, t.Trend)
				}
				x := v
				if m.Unit != t.Unit {
					if x = v * factor / t.factor; math.IsInf(x, 0) {
						return fmt.Errorf("%s:%d: %s is %v %s, too much for %s: correct the value", f.Path, run.Line, b.Name, v, m.Unit, t.Unit)
					}
				}
				t.value(f, sub, x)
			}
		}
	}
	return nil
}

// value adds a run's value.
func (t *trend) value(f File, sub string, x float64) {
	at, ok := t.commits[f.Commit]
	if !ok {
		at = len(t.Commits)
		t.commits[f.Commit] = at
		t.Commits = append(t.Commits, Commit{f.Commit, f.Time})
	}
	if t.series[sub] == nil {
		t.series[sub] = map[int][]float64{}
	}
	t.series[sub][at] = append(t.series[sub][at], x)
}

// direct remembers which direction of a unit is better. Without a word of it the direction is open, and
// two words against each other would turn a trend around on the way.
func (g *gatherer) direct(f File, m judge.Metric) error {
	tidied, _ := tidy(m.Unit)
	if m.Better == "" {
		return nil
	}
	if have, ok := g.better[tidied]; ok && have.better != m.Better {
		return fmt.Errorf("%s: better is %s of %s; %s says %s: correct the Unit line of one of them", f.Path, m.Better, m.Unit, have.where, have.better)
	}
	g.better[tidied] = told{m.Better, f.Path}
	return nil
}

func (g *gatherer) class(c *judge.Settings, procs int) *Class {
	k := g.seen[configured{c, procs}]
	if k != nil {
		return k
	}
	s := classOf(c, procs)
	id := digest(s)
	if k = g.byClass[id]; k == nil {
		k = &Class{ID: id, Settings: s}
		g.byClass[id] = k
		g.order = append(g.order, k)
	}
	g.seen[configured{c, procs}] = k
	return k
}

// classes are all results by class, the one with the newest first.
func (g *gatherer) classes() []*Class {
	for _, t := range g.byTrend {
		tidied, _ := tidy(t.Unit)
		t.Better = g.better[tidied].better
		t.Floor = judge.DefaultRules().For(t.Unit, t.Class, false).Floor
		for _, name := range slices.SortedFunc(maps.Keys(t.series), compareNames) {
			s := &Series{Name: name}
			for at := range t.Commits {
				if vs := t.series[name][at]; len(vs) > 0 {
					s.Points = append(s.Points, Point{Commit: at, Values: vs, Median: median(vs), Min: slices.Min(vs), Max: slices.Max(vs)})
				}
			}
			s.detect(t.Better, t.Floor)
			t.Series = append(t.Series, s)
		}
	}
	ranks := map[*Trend]int{}
	for _, t := range g.byTrend {
		ranks[t.Trend] = t.rank
	}
	for _, c := range g.order {
		slices.SortStableFunc(c.Trends, func(a, b *Trend) int {
			return cmp.Or(cmp.Compare(a.Package, b.Package), compareBenchmarks(a.Benchmark, b.Benchmark), cmp.Compare(a.Steps, b.Steps),
				cmp.Compare(ranks[a], ranks[b]), cmp.Compare(a.Unit, b.Unit))
		})
		for _, t := range c.Trends {
			t.SameAs = sameAs(t, c.Trends)
		}
		c.Name = name(c, g.order)
	}
	slices.SortStableFunc(g.order, func(a, b *Class) int { return b.newest().Compare(a.newest()) })
	return g.order
}

// compareBenchmarks puts what explains, the parts of a step, after what it explains.
func compareBenchmarks(a, b string) int {
	parts := func(s string) int {
		if s == "Part" {
			return 1
		}
		return 0
	}
	return cmp.Or(parts(a)-parts(b), cmp.Compare(a, b))
}

// speeds are one measurement, the time of an operation, in the order in which one stands for the others:
// as package judge takes them.
var speeds = []string{"samples/sec", "tokens/sec", "steps/sec", "ns/op", "sec/op", "runtime-sec", "MB/s", "B/s"}

func sameAs(t *Trend, all []*Trend) string {
	i := slices.Index(speeds, t.Unit)
	if i < 0 {
		return ""
	}
	for _, s := range speeds[:i] {
		if slices.ContainsFunc(all, func(o *Trend) bool {
			return o.Unit == s && o.Better != "" && o.Package == t.Package && o.Benchmark == t.Benchmark && o.Steps == t.Steps
		}) {
			return s
		}
	}
	return ""
}

// bare is a benchmark's name without the package and GOMAXPROCS' suffix that package judge puts to names
// which are not the only ones of their kind in a file: in another file they may be.
func bare(b *judge.Benchmark, in *judge.Input) string {
	name := b.Name
	if b.Pkg != "" {
		name = strings.TrimPrefix(name, b.Pkg+".")
	}
	if short, ok := strings.CutSuffix(name, "-"+strconv.Itoa(b.Procs)); ok && b.Procs > 1 && slices.ContainsFunc(in.Benchmarks, func(o *judge.Benchmark) bool {
		return o.Pkg == b.Pkg && o.Procs != b.Procs && (strings.HasSuffix(o.Name, short) || strings.HasSuffix(o.Name, short+"-"+strconv.Itoa(o.Procs)))
	}) {
		name = short
	}
	return name
}

// tidy is benchunit's base unit of a unit, and the factor to it.
func tidy(unit string) (string, float64) {
	f, u := benchunit.Tidy(1, unit)
	return u, f
}

// compareNames is record.Compare, with different names never equal: rank=8 and rank=8.0.
func compareNames(a, b string) int { return cmp.Or(record.Compare(a, b), cmp.Compare(a, b)) }
