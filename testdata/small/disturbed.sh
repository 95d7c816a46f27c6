#!/bin/sh
# Shows two things about this machine, which should do nothing else meanwhile: another program that takes all cores for the middle third of
# `make bench` does not make a rank look slow, and a rank whose steps do take a tenth longer is found. Three times the time of
# make bench, of which the first says how long that is. usage: testdata/small/disturbed.sh [RANK]
set -eu
cd "$(dirname "$0")/../.."
rank=${1:-8} out=out/disturbed
rm -rf "$out"
mkdir -p "$out"
load=
trap 'kill $load 2>/dev/null || :' EXIT
make setup >"$out.log" 2>&1
go test -run=none ./bench >>"$out.log" 2>&1 # what is compiled is not timed
verdict() { go run ./bench/report/lorareport -out="$1" | awk -v RS= '/ against rank=/'; }

began=$(date +%s)
make bench OUT="$out/quiet" >>"$out.log" 2>&1
third=$((($(date +%s) - began) / 3))
echo "== undisturbed: $((third * 3)) s"
verdict "$out/quiet"

make bench OUT="$out/loaded" >>"$out.log" 2>&1 &
bench=$!
sleep "$third"
for _ in $(seq "$(nproc)"); do
	(while :; do :; done) &
	load="$load $!"
done
sleep "$third"
kill $load
load=
wait "$bench"
echo "== all cores taken from second $third to $((2 * third))"
verdict "$out/loaded"

make bench OUT="$out/slow" COUNT=12 RANKS="1,$rank" BENCHFLAGS="-lr=1e-2 -slow=rank=$rank" >>"$out.log" 2>&1
echo "== rank=$rank sleeps a tenth of each step, 12 seeds"
verdict "$out/slow"
