// Package compare says what benchmark results support: which ranks differ, in what, by how much, how sure that is, and which rank to
// take.
//
// Runs are paired by block: all arms (ranks, and whatever else varies) train with one seed, on the same data in the same order, before
// any trains with the next. Each arm is compared with the first, metric by metric, by Student's paired t test on the logarithms, so that
// a difference is a fraction (on the values themselves where one is not positive). Each pair has its own variance: a rank may be
// noisier than others. The comparisons of one metric are a family, corrected by Holm. Tried and refused: closed testing finds as much
// for five times the code; one variance for all arms calls a difference in 8 % to 15 % of families where the reference is noisy.
//
// A difference is exact, and not tested, where the unit has no chance in it (adapter-bytes, trainable-parameters, a Unit line that says
// assume=exact) and no arm's runs differ, or where at least four blocks show the very same difference: of rounded values fewer agree
// too easily. With one run of each arm there is no p and no interval. Below four blocks what is not found is "cannot tell".
//
// The verdict rests on the held-out loss of each rank at its best rate and alpha. An arm is worse, or as good, where its interval
// against the best lies beyond, or within, the margin: 5 % of what training gained. docs/soundness.md has how often all this is right.
package compare
