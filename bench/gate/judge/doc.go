// Package judge says whether benchmark results got worse: it reads two sets of results in x/perf's format,
// any Go project's, and decides for each metric of each benchmark by rules, statistics, and where chance has
// no part in it, exactly. It says why, and where a regression sits. It prints nothing.
//
// # What is judged
//
// Every unit that has a direction: built in (results.Better), of a Unit line, or of a rule. Rules
// (ParseRules) give units a floor, a level and what else; the defaults are a floor of 3 %, of 0.5 % for
// losses, and a level of 1 %. Units that are one measurement (samples/sec, tokens/sec, ns/op) are judged
// once. Benchmarks that explain (Part) are not judged. Where both sides have run records, adapter-bytes and
// trainable-parameters are judged too.
//
// # Worse
//
// A metric is worse if it is significantly worse after correction for all that is tested, and by more than its
// floor. The test is one-sided, of the logarithms, so that a difference is a fraction of the baseline (of the
// values themselves where one is not positive): Student's paired t test of the seeds that both sides have,
// from three on, and Welch's test of all samples; the smaller p counts, doubled, which is valid whichever it
// is. Pairs win where seeds differ or the machine drifts and both sides took turns; Welch wins where there
// are few samples and the noise is white, since it has twice the degrees of freedom. All tests together are
// one family (Holm): at a level of 1 % an unchanged program fails in at most 1 % of comparisons, however
// many metrics and benchmarks it has. "Better" is the same thing in the other direction, a family of its own.
//
// # Exact
//
// Losses of the same seed on a CPU of the same kind with the same libtorch, threads and dtype are the same to
// the last digit as long as the computation is, and counts do not vary: these are compared value by value,
// with the digits of the coarser file, and the floor is 0. A difference that is meant is accepted with a
// floor in gate.txt or a new baseline. Losses that may differ (GPUs, other seeds, another libtorch) and
// counts that vary are tested.
//
// # Cannot tell
//
// That is said of fewer than four samples, and where a worsening by a quarter (Rule.Detect) can neither be
// found nor, at the rule's level, be ruled out: of metrics that are worse by that much, at most 1 % pass as the
// same, whatever the noise (TestNoiseHidesNothing). Whether a test would have found it was tried first (its power, Result.Detectable): with three benchmarks, 3 % noise and 6
// samples 8 % of comparisons then ended in "cannot tell", though no difference of 25 % could have hidden there.
//
// # Error rates
//
// TestUnchangedProgramsPass, TestSlowerProgramsAreCaught and TestNoiseHidesNothing draw results and assert that at
// most 1 % of unchanged programs fail and at least 99 % of those that are 5 % slower at 1 % of noise are caught;
// docs/gate.md has what they print.
//
// # Unusable
//
// Lines that cannot be read, runs that failed, NaN and Inf, a benchmark or metric that is gone, and sides
// made in another configuration are problems, all of which are told. Without them being settled nothing else
// that is found may be taken for a verdict.
package judge
