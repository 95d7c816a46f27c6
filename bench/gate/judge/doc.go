// Package judge says whether benchmark results got worse: it reads two sets of results in x/perf's format, any Go project's, and
// decides for each metric of each benchmark by rules, statistics, and where chance has no part in it, exactly. It says why, and
// where a regression sits. It prints nothing. docs/gate.md says what is judged, and how often it is wrong.
//
// # Worse
//
// A metric is worse if it is significantly worse after correction for all that is tested, and by more than its floor. The test is
// one-sided, of the logarithms, so that a difference is a fraction of the baseline (of the values themselves where one is not
// positive): Student's paired t test of the seeds that both sides have, from three on, and Welch's test of all samples; the
// smaller p counts, doubled, which is valid whichever it is. Pairs win where seeds differ or the machine drifts and both sides
// took turns; Welch wins where there are few samples and the noise is white, since it has twice the degrees of freedom. All tests
// together are one family (Holm): at a level of 1 % an unchanged program fails in at most 1 % of comparisons, however many
// metrics and benchmarks it has. "Better" is the same thing in the other direction, a family of its own.
//
// # Exact
//
// Losses of the same seed on a CPU of the same kind with the same libtorch, threads and dtype are the same to the last digit as
// long as the computation is, and counts do not vary: these are compared value by value, with the digits of the coarser file.
// Another digit of a loss, whichever way, is a finding of its own, until somebody accepts it: then losses are tested.
//
// # Cannot tell
//
// That is said of fewer than four samples, and where a worsening by a quarter (Rule.Detect) can neither be found nor, at the
// rule's level, be ruled out: of metrics that are worse by that much, at most 1 % pass as the same, whatever the noise
// (TestNoiseHidesNothing). Whether a test would have found it was tried first (its power, Result.Detectable): with three
// benchmarks, 3 % noise and 6 samples 8 % of comparisons then ended in "cannot tell", though no difference of 25 % could have
// hidden there.
package judge
