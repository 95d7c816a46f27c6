// Package compare says what benchmark results support: which ranks differ, in what, by how much, how sure
// that is, and which rank to take. It reads golang.org/x/perf's benchmark format and run records.
//
// # Pairs and families
//
// Runs are paired by seed: with the same seed all arms (ranks, and whatever else varies) see the same
// data in the same order. Each arm is compared with the first, metric by metric, by Student's paired t
// test on the logarithms, so that a difference is a fraction of the reference (on the values themselves,
// as a fraction of the reference's mean, where one of them is not positive). Each pair of arms has its
// own variance: a rank may be noisier than others. The comparisons of one metric are a family and are
// corrected for each other by Holm's method; metrics are not corrected for each other, as a note says.
//
// Rates measured with this package's own simulations (TestUnchanged..., TestUnequalNoise..., TestPower;
// 1,000 to 4,000 draws each, fixed seeds), at 5 %:
//
//	nothing differs: families in which a difference is called            6 seeds  10 seeds
//	  3 ranks, ten metrics (one without chance), 1 % and 3 % noise          4 %       4 %
//	  3 ranks, the reference with 5 times the noise of the others           4 %       4 %
//	  5 ranks, the reference with 5 times the noise of the others           2 %       3 %
//	2 % more samples/sec in one rank, 1 % noise: found, 10 seeds
//	  2 ranks                                                              97 %
//	  3 ranks, the third like the first                                    93 %
//	  3 ranks, the third as fast as the second                             97 %
//	  3 ranks, the third differs by 4 %                                    98 %
//	  3 ranks, the third like the first with 10 times the noise            93 %
//
// What was tried and refused, in the same order of cases: closed testing, each group of arms by the analysis
// of variance and by its smallest p joined by Simes' inequality, finds 96 % in a third rank like the first and
// 87 % where that is noisy, for five times the code. One residual variance for all arms finds 97 %, but calls
// a difference in 8 % and 15 % of families where the reference is noisy.
//
// # Without chance
//
// A difference is exact, and no test is made, where the unit has no chance in it (adapter-bytes,
// trainable-parameters, or a Unit line that says assume=exact) and no arm's runs differ, or where at least
// four seeds show the very same difference: for rounded values, fewer agree too easily by chance.
//
// # Few runs
//
// With one run of each arm there is no p and no interval, and a difference of d is evidence only if the
// run-to-run noise (standard deviation) is below d/(1.96·√2). Below four seeds a difference that is not
// found is "cannot tell", not "no difference found". The test itself holds from two seeds on.
//
// # The verdict
//
// It rests on the held-out loss. An arm is as good as the best if it is shown to lie less than the margin
// (1 %) above every other arm: a one-sided test at 2.5 %, corrected over all arms (Holm). This comes
// first: with enough seeds a difference of no consequence is significant. Otherwise it is worse if its loss
// is higher than the best one's, all pairs of arms being the family, since the best was chosen by looking;
// otherwise it is undecided. The arm to take is the smallest that is as good; the best itself is so only if
// the same test shows it.
package compare
