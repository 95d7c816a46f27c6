package compare

import "lorabench/bench/record"

// Options are what a comparison is judged by. The zero value means the defaults.
type Options struct {
	Alpha  float64 // how often a family in which nothing differs may be called different; 0 means 0.05
	Margin Margin
}

// Analysis is everything that is said about a study. A figure that does not exist is NaN.
type Analysis struct {
	Options
	Seeds    int // the fewest blocks that an arm shares with the first
	Metrics  []Metric
	Verdict  Verdict
	Unsteady string   // what Steady says of the machine
	Notes    []string // sentences about the whole: what was left aside, what was corrected for what
}

// Metric is one metric over all arms that have it.
type Metric struct {
	record.Unit
	Arms     []Summary
	Pairs    []Pair   // every arm but the first against the first
	SameAs   string   // the unit whose measurement this is too (ns/op is samples/sec); a difference in both is one finding
	Unsteady bool     // a time of an unsteady machine
	Notes    []string // sentences about this metric only
}

// Summary is an arm's values of one metric.
type Summary struct {
	Arm       string
	N         int     // runs that have the metric
	Median    float64 // of the runs
	Low, High float64 // the median's 95 % interval, from order statistics: NaN below 6 runs
	Min, Max  float64
	Missing   int // runs of the arm that lack the metric
}

// Pair compares an arm with another, paired by block. Diff, Low, High and Detectable are fractions of To's value.
type Pair struct {
	Arm, To   string
	N         int     // blocks that both have
	Diff      float64 // from the mean difference of logarithms; NaN where there is none
	Low, High float64 // all intervals of a family hold together with 1 - Alpha; NaN where N < 2
	P         float64 // of this one comparison, two-sided; NaN where N < 2 and where Exact
	Corrected float64 // P corrected for the family: at most Alpha where the interval is on one side of 0

	// Detectable is the smallest difference that so many blocks with this noise find at least 80 % of the time, after correction.
	Detectable float64
	Call       Call
	Exact      bool // the same difference in every block, without any spread: no test is needed
}

// Call is what may be said about a difference.
type Call string

// The calls. NoDifference is said where enough blocks were compared to find something the size of Detectable.
const (
	Higher       Call = "higher"
	Lower        Call = "lower"
	NoDifference Call = "no difference found"
	CannotTell   Call = "cannot tell"
	Drifts       Call = "drift is in it" // times of runs that were not in blocks

	// Of a loss against the best one, whose margin the interval lies beyond or within:
	Worse  Call = "worse"
	AsGood Call = "as good"
)

// Verdict says which arm to take, and how sure that is.
type Verdict struct {
	Unit     string     // the loss it rests on: eval-loss, or train-loss or loss where there is no other
	Best     string     // the arm with the lowest mean loss
	Limit    float64    // the margin as a fraction of the best's loss; 0 where training gained nothing
	Smallest string     // the smallest arm whose loss is as good as the best; "" where it cannot be told
	Sure     bool       // every arm of a smaller rank is shown to be worse
	Standing []Standing // every arm but Best: of each rank the one at its best rate and alpha
	Costs    []Cost     // every larger arm against Smallest, or against the first arm where Smallest is ""
	Text     []string   // sentences; the first is the verdict itself
}

// Standing is an arm's loss against the best arm's. Seeds is about how many would decide it 80 % of the time where it cannot be told; 0
// where that cannot be estimated.
type Standing struct {
	Pair
	Seeds int
}

// Cost is what an arm costs or saves against another.
type Cost struct {
	Pair
	Unit string
}
