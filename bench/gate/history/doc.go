// Package history is the history of benchmark results by commit, in a folder of plain files: no service,
// nothing that is not in the files. Append adds a result set, Load reads them all, Write draws them.
//
// # The folder
//
// A result set is a file of the Go benchmark format, named by when its results were made (UTC) and by their
// commit: 20261123T201500Z-5471c87f72b3.txt. A file is never changed; two people who append to copies of a
// folder can merge them. A commit that was measured several times is one point of all its runs, at the time
// of its first results. index.html and the SVG files beside the results can be drawn again at any time.
//
// # Classes
//
// Results are in one line of the trend only if their whole configuration is the same (gpu or cpu, threads,
// device, dtype, model, data, recipe, settings, GOMAXPROCS, and every key that is not known here), but for what
// changes from commit to commit or from run to run: commit, seed, note, date, time, go, driver, os, goos, torch,
// author, branch, build, host, run. What is not said is another class than what is: results of before a key was
// written are not those of after. Results with a GPU are of one class on whatever CPU. Losses after another
// number of steps are a trend of their own.
//
// # Change points
//
// A commit is one value, the median of its runs, as a logarithm where all are positive. Runs of a commit
// were made in one hour on one machine; machines differ from hour to hour, and Welch's t test over all runs of
// both sides of a cut, which was tried, takes that for a change in 30 % of unchanged histories (6 runs, 1 % noise
// between runs and 3 % between commits).
//
// Of all stretches of at least 2 commits, the one with the largest Welch t against the other commits of the
// segment is taken, and then the same within each piece (binary segmentation; with stretches that begin and end
// inside, circular binary segmentation: A. Olshen et al., Biostatistics 5, 2004. Cuts in two alone do not see
// a regression that was put right after some commits). No side has less variance in the test than the noise:
// that of both sides together, or half the mean square of successive differences, which other changes nearby
// do not raise; without the latter four changes to and fro, 10 commits each, are found in 8 % of histories in
// place of 76 % (one run). Two commits agree by chance too easily for a variance of their own alone. A stretch is
// accepted if its p, corrected (Bonferroni) for all stretches that were tried and both noises, is below 0.001
// and the level changes by more than the class's floor (3 %, losses and counts 0.5 %). Each change is then
// moved to where the squares around the levels before and after it are least, and must hold between these two
// levels alone, corrected for all commits; else it is taken back, the weakest first.
//
// The newest commit may be a level of its own if it has at least 4 runs; it is marked as such, since the next
// commit may show that it was an outlier.
//
// # Outliers
//
// A commit that stands more than 5 standard deviations (by the median of successive differences) beyond
// both its neighbours on the same side, by more than these differ, is set aside: drawn hollow, in no level. It is
// kept where more than 1 + n/25 commits are so: then that is what the noise is like. What is not set aside cannot
// make a change either: one value alone gives Welch's t of about 1, however large it is.
//
// # Rates
//
// Measured by this package's tests with fixed seeds (go test ./bench/gate/history -run Simulated -v): 1,000
// histories of 50 commits each, floor 3 %.
//
//	nothing changes: series in which a change is called
//	  one run a commit, 1 %, 3 % and 10 % noise; 6 runs, 3 %              0.0 %
//	  6 runs, 1 %, and 3 % more from commit to commit                     0.0 %
//	  Student's t with 3 degrees of freedom, 3 %                          0.4 %
//	  commits resemble the one before (correlation 0.3), 3 %              1.0 %
//	  two speeds: one commit in five 12 % off, 0.3 % noise                2.8 %
//	  a drifting machine (correlation 0.5), 3 %                           8.4 %
//	  the last 5 commits 4 times as noisy, 3 % and 12 %                  10.3 %
//	5 % slower at 1 % noise: found at the very commit, nothing else called   one run  6 runs
//	  in the middle; 5 commits from the beginning; from the end       99.1, 98.9, 98.5 %  100 %
//	  3 commits ago                                                      91 %
//	  2 commits ago                                                      80 %     100 %
//	  the newest commit                                                   0 %     100 %
//	  for 5 commits and back; with 6 runs for 3 commits                  97 %     100 %
//	  in the middle, with an outlier of 15 % elsewhere                   99.2 %
//	one outlier of 15 %, anywhere: series in which a change is called         0.0 %
//
// Drift is the weak side: a machine that slows down for a week has another level, and that is what is
// said. The search takes time with the square of the number of commits.
package history
