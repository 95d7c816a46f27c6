#!/bin/sh
# Runs lorabench out of this folder. It needs libtorch 2.11, of any CUDA build or none: the folder that LIBTORCH names, or the
# PyTorch of the python3 on PATH. Nothing is compiled, downloaded or written outside the folder that a command's -out names.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd) || exit 2

usage() {
	cat >&2 <<TEXT
usage: run COMMAND [ARGS]
  run --check              libtorch, device, driver, memory, and what is missing
  run bench ARGS           train each rank: -ranks=8,128,256 -benchtime=100x -count=6 -out=DIR ... (run bench -help lists them)
  run peer ARGS            the same beside Hugging Face's Trainer + PEFT, of python3 (LORABENCH_PEER_PYTHON names another)
  run test [PACKAGE ARGS]  the tests of bench, internal/torch, internal/decoder, lora, or of one: run test lora -run=Agrees -v
  run report ARGS          tables and figures of a folder of records: -out=DIR
  run gate ARGS            compare two result files or folders
  run fit ARGS             which ranks fit a card, without one
  run sweep-slurm ARGS     a study as an array job of Slurm: print it, or submit it with -submit (run sweep-slurm -help)
  run gpucheck ARGS        prove this on a card: -minutes=8 -stages=1-6 -out=DIR (run gpucheck -help)
TEXT
	exit 2
}

fail() {
	echo "run: $*" >&2
	exit 1
}

# find_torch sets torch, without importing it, which takes seconds.
find_torch() {
	torch=${LIBTORCH:-} from=LIBTORCH
	if [ -z "$torch" ]; then
		from=python3
		torch=$(python3 -c 'import sys
sys.path = [p for p in sys.path if p]
import importlib.util, os
s = importlib.util.find_spec("torch")
print(os.path.dirname(s.origin) if s and s.origin else "")' 2>/dev/null) || torch=
		[ -n "$torch" ] || fail "no libtorch: set LIBTORCH to the folder with lib/ (pip install torch==2.11.0 brings one), or put a python3 with PyTorch 2.11 on PATH"
	fi
	torch=$(CDPATH='' cd -- "$torch" 2>/dev/null && pwd) || fail "$from names a folder that is not there"
	[ -f "$torch/lib/libtorch_cpu.so" ] || fail "$torch (from $from) has no lib/libtorch_cpu.so: it is no libtorch"
	for f in version.py build-version; do
		[ ! -f "$torch/$f" ] || grep -Eq "(^|['\"])2\.11\." "$torch/$f" ||
			fail "$torch (from $from) is another version than 2.11: install torch 2.11, or set LIBTORCH"
	done
}

# test_flag turns go test's flags, as people write them, into a test binary's.
test_flag() {
	flag=${1#-}
	case $1 in
	-*) flag=-${flag#-} ;;
	esac
	case ${flag%%=*} in
	-bench | -benchmem | -benchtime | -count | -cpu | -failfast | -list | -run | -short | -shuffle | -skip | -timeout | -v)
		printf '%s\n' "-test.${flag#-}"
		;;
	*) printf '%s\n' "$1" ;;
	esac
}

[ $# -gt 0 ] || usage
command=$1
shift
case $command in
--check | check | bench | peer | test | report | gate | fit | gpucheck) ;;
sweep-slurm) # without -gpu it needs no libtorch, and a cluster's login node may have none
	case " $*" in
	*" -gpu="* | *" --gpu="* | *" -gpu "* | *" --gpu "*) ;;
	*)
		export LORABENCH_ROOT="$here"
		exec "$here/bin/sweep" "$@"
		;;
	esac
	export LORABENCH_GIVEN_LIBTORCH="${LIBTORCH:-}"
	;;
*) usage ;;
esac
find_torch
export LORABENCH_LIBRARY_PATH="${LD_LIBRARY_PATH:-}"
export LD_LIBRARY_PATH="$torch/lib:$here/internal/torch/link${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LORABENCH_ROOT="$here" LIBTORCH="$torch"
export LORABENCH_PEER_PYTHON="${LORABENCH_PEER_PYTHON:-python3}"
[ ! -d "$here/internal/fakecuda/lib" ] || export LORABENCH_FAKECUDA="$here/internal/fakecuda/lib"

case $command in
--check | check)
	"$here/bin/check" "$@"
	status=$?
	peer=$("$here/bin/peer" -check 2>&1) || peer="cannot run: $peer"
	printf '%-10s%s\n' "peer" "$peer"
	exit $status
	;;
report) exec "$here/bin/lorareport" "$@" ;;
sweep-slurm) exec "$here/bin/sweep" "$@" ;;
peer | gate | fit | gpucheck)
	[ -x "$here/bin/$command" ] || fail "this bundle has no $command"
	exec "$here/bin/$command" "$@"
	;;
esac

packages="bench internal/torch internal/decoder lora"
if [ "$command" = test ] && [ $# -gt 0 ]; then
	case $1 in
	-*) ;;
	*)
		packages=${1#./}
		shift
		;;
	esac
fi
n=$#
while [ "$n" -gt 0 ]; do
	set -- "$@" "$(test_flag "$1")"
	shift
	n=$((n - 1))
done
if [ "$command" = bench ]; then
	exec "$here/bench/bench.test" '-test.run=^$' -test.bench=Rank -test.benchtime=100x -test.timeout=0 "$@"
fi
status=0
for p in $packages; do
	[ -x "$here/$p/${p##*/}.test" ] || fail "no tests of $p here: want one of bench, internal/torch, internal/decoder, lora"
	echo "--- $p"
	(cd "$here/$p" && exec "./${p##*/}.test" -test.timeout=30m "$@") || status=1
done
exit $status
