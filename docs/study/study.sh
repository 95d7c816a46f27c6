#!/bin/sh
# Trains the study of this folder: SmolLM2-135M-Instruct on CodeAlpaca-20k, three ranks and every weight, each at the learning rates
# that suit it, four seeds. It takes 100 minutes on two cores, and goes on where it was interrupted.
#
#     docs/study/study.sh code_alpaca_20k.json.gz
#
# The data is that of https://github.com/sahil280114/codealpaca, whose licence does not let it lie here. Its records become prompt and
# completion, because the recipe's text has no place for an input, which half of them have.
set -eu
test $# -eq 1 || { echo "usage: docs/study/study.sh code_alpaca_20k.json[.gz]" >&2; exit 2; }
data=$(realpath -- "$1")
cd "$(dirname "$0")/../.."
make --no-print-directory setup >&2
go run ./internal/smollm2/prepare >&2
out=$PWD/out/study
mkdir -p "$out"
python3 - "$data" "$out/code_alpaca_prompts.json" <<'EOF'
import gzip, json, sys
read = gzip.open if sys.argv[1].endswith(".gz") else open
with read(sys.argv[1], "rt", encoding="utf-8") as f:
    records = json.load(f)
with open(sys.argv[2], "w") as f:
    json.dump([{"prompt": r["instruction"] + ("\n" + r["input"] if r["input"] else ""), "completion": r["output"]} for r in records], f)
EOF
go test -bench='Rank/rank=(2|16|128)$/lr=(0.001|0.003|0.01)|Rank/rank=full/lr=(3e-5|1e-4)' -benchtime=30x -count=4 -timeout=0 ./bench \
	-device=cpu -recipe=assigned -model=smollm2 -data="$out/code_alpaca_prompts.json" -max-length=256 -eval=128 \
	-ranks=2,16,128,full -lr=3e-5,1e-4,1e-3,3e-3,1e-2 -out="$out"
go run ./bench/report/lorareport -out="$out"
