package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/bench/table"
)

// commands are the command lines that make these runs again: one, where the arms are every
// combination of some ranks, alphas, rates and targets, and one for each arm where they are not.
func commands(arms []*table.Arm) []string {
	if c, ok := combined(arms); ok {
		return []string{c}
	}
	var cs []string
	for _, a := range arms {
		c, _ := combined([]*table.Arm{a})
		cs = append(cs, c)
	}
	return cs
}

// combined is the command line for all arms at once; ok is false if it would run others too.
func combined(arms []*table.Arm) (command string, ok bool) {
	var ranks, alphas, rates, targets []string
	add := func(to *[]string, v string) {
		if v != "" && !slices.Contains(*to, v) {
			*to = append(*to, v)
		}
	}
	full, one := 0, arms[0]
	for _, a := range arms {
		r := a.Runs[0]
		add(&ranks, r.Rank)
		add(&rates, setting(r.Settings.LR))
		if a.Full() {
			full++
			continue
		}
		one = a
		add(&targets, strings.Join(r.Settings.Targets, ","))
		add(&alphas, alphaOf(a))
	}
	if k, ok := multiple(arms); ok {
		alphas = []string{k}
	}
	adapters := len(ranks)
	if full > 0 {
		adapters--
	}
	if adapters*len(alphas)*len(rates)*len(targets) != len(arms)-full || full > 0 && full != len(rates) {
		return "", false
	}
	r := one.Runs[0]
	s := r.Settings
	first, n := r.Seed, 0
	for _, a := range arms {
		n = max(n, len(a.Runs))
		first = min(first, a.Runs[0].Seed)
	}
	benchtime := strconv.Itoa(r.GlobalStep) + "x"
	if s.Steps != r.GlobalStep { // -benchtime was a duration: the schedule was the recipe's
		benchtime = strconv.Itoa(int(r.Runtime+0.5)) + "s"
	}
	line := []string{"go test -run='^$' -bench=Rank -benchtime=" + benchtime, "-count=" + strconv.Itoa(n), "-timeout=0 ./bench"}
	for _, f := range []struct{ flag, value string }{
		{"model", s.Model}, {"tokenizer", s.Tokenizer}, {"data", s.Data}, {"recipe", s.Recipe}, {"ranks", strings.Join(ranks, ",")},
		{"alpha", strings.Join(alphas, ",")}, {"lr", strings.Join(rates, ",")}, {"targets", strings.Join(targets, ":")},
		{"dora", set(s.DoRA)}, {"dropout", setting(s.Dropout)}, {"model-dropout", setting(s.ModelDropout)},
		{"batch", strconv.Itoa(s.Batch)}, {"accum", strconv.Itoa(s.Accum)}, {"max-length", strconv.Itoa(s.MaxLength)},
		{"order", s.Order}, {"adapter", s.Adapter}, {"device", s.Device}, {"dtype", strings.Replace(s.DType, "bfloat16", "bf16", 1)},
		{"adapter-dtype", strings.Replace(s.AdapterDType, "bfloat16", "bf16", 1)},
		{"tf32", set(s.TF32)}, {"graphs", graphsOf(s)}, {"checkpoint", set(s.Checkpoint)}, {"row-tokens", strconv.Itoa(s.RowTokens)},
		{"seed", strconv.FormatInt(first, 10)}, {"limit", nonZero(float64(s.Limit))}, {"eval", strconv.Itoa(s.Eval)}, {"forget", s.Forget},
		{"eval-every", nonZero(float64(s.EvalEvery))}, {"target-loss", nonZero(s.TargetLoss)},
	} {
		if f.value != "" {
			line = append(line, fmt.Sprintf("-%s=%s", f.flag, quoted(f.value)))
		}
	}
	return strings.Join(line, " "), true
}

// alphaOf is an arm's -alpha: as its name has it, where alphas vary, else as its settings have it.
func alphaOf(a *table.Arm) string {
	for _, part := range strings.Split(a.Name, "/") {
		if v, ok := strings.CutPrefix(part, "alpha="); ok {
			return v
		}
	}
	if a.Runs[0].Settings.RSLoRA {
		return "sqrt"
	}
	return setting(a.Runs[0].Settings.Alpha)
}

// multiple is kr where every rank has k times itself as its alpha and nothing else explains that.
func multiple(arms []*table.Arm) (spec string, ok bool) {
	k, n := 0.0, 0
	for _, a := range arms {
		if a.Full() {
			continue
		}
		rank, err := strconv.ParseFloat(a.Runs[0].Rank, 64)
		s := a.Runs[0].Settings
		if err != nil || rank == 0 || s.RSLoRA || strings.Contains(a.Name, "alpha=") || n > 0 && s.Alpha != k*rank {
			return "", false
		}
		k = s.Alpha / rank
		n++
	}
	return setting(k) + "r", n > 1 && !oneAlpha(arms)
}

// oneAlpha says whether several ranks share one lora_alpha, so that their scalings of BA differ.
func oneAlpha(arms []*table.Arm) bool {
	var first *record.Record
	ranks := map[string]bool{}
	for _, a := range arms {
		r := a.Runs[0]
		if a.Full() {
			continue
		}
		if first == nil {
			first = r
		}
		if r.Settings.RSLoRA || r.Settings.Alpha != first.Settings.Alpha {
			return false
		}
		ranks[r.Rank] = true
	}
	return len(ranks) > 1
}

func set(v bool) string {
	if v {
		return "true"
	}
	return ""
}

func nonZero(v float64) string {
	if v == 0 {
		return ""
	}
	return setting(v)
}

// setting is the number as a flag takes it.
func setting(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

var harmless = regexp.MustCompile(`^[A-Za-z0-9_.,:/@=+-]*$`)

// quoted is v as one word for a shell.
func quoted(v string) string {
	if harmless.MatchString(v) {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}

// graphsOf returns -graphs: auto for CUDA's on, which by name would fail where these runs went on without.
func graphsOf(s record.Settings) string {
	if s.Graphs == "on" && strings.HasPrefix(s.Device, "cuda") {
		return "auto"
	}
	return s.Graphs
}
