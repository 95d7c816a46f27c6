#!/bin/sh
# Shows what the recipe "small" (bench/settings.go) was chosen from: the held-out loss of ranks, learning rates, alphas and numbers of
# steps, one seed each. choose.txt is its output; it takes about ten minutes on two cores. A dash is a training that diverged.
#
#     testdata/small/choose.sh > testdata/small/choose.txt
set -eu
cd "$(dirname "$0")/../.."
make --no-print-directory setup >&2
out=$PWD/out/choose
mkdir -p "$out"
go test -c -o "$out/bench.test" ./bench
for steps in 50 100 200; do
	(cd bench && "$out/bench.test" -test.bench=Rank -test.benchtime=${steps}x -device=cpu -recipe=small -ranks=1,8,64,256,full \
		-alpha=16,2r -lr=3e-4,1e-3,3e-3,1e-2,3e-2 -forget=none -out="$out/$steps") >&2
	echo "Held-out loss after $steps steps, at each learning rate"
	awk '
		/^Benchmark/ {
			split($1, name, "/lr=")
			sub(/-[0-9]+$/, "", name[2])
			sub("BenchmarkRank/", "", name[1])
			sub("/", ", ", name[1])
			for (i = 4; i <= NF; i++) if ($i == "eval-loss") loss[name[1], name[2]] = $(i - 1)
		}
		!(name[1] in arms) && /^Benchmark/ { arms[name[1]]; order[++n] = name[1] }
		END {
			m = split("3e-4 0.001 0.003 0.01 0.03", rates, " ")
			printf "%-20s", ""
			for (j = 1; j <= m; j++) printf "%8s", rates[j]
			for (i = 1; i <= n; i++) {
				printf "\n%-20s", order[i]
				for (j = 1; j <= m; j++) {
					v = loss[order[i], rates[j]]
					if (v == "") printf "%8s", "-"; else printf "%8.3f", v
				}
			}
			print "\n"
		}' "$out/$steps/bench.txt"
done
