#!/bin/sh
# Trains two parts of a study out of a bundle, and merges them, in a bare Debian root that has nothing but libtorch besides: no Go, no
# compiler, no Python. It needs root, debootstrap and a made bundle; CI runs it.
#
#   make bundle && sudo sh internal/bundle/bare.sh out/lorabench-bundle.tar.gz LIBTORCH
#
# LIBTORCH is the folder that has torch, with lib, and nvidia beside it, as pip installs them.
set -eu
bundle=$1 torch=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
mkdir "$root/opt/torch"
tar xzf "$bundle" -C "$root/opt"
ROOT=$root TORCH=$torch unshare -m sh -eu <<'IN'
mount --bind "$TORCH" "$ROOT/opt/torch"
mount -t proc proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
inside() { chroot "$ROOT" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/tmp LIBTORCH=/opt/torch/torch /opt/lorabench-bundle/run "$@"; }
for part in 1 2; do
	inside bench -benchtime=3x -count=2 -ranks=8,full -lr=1e-3 -device=cpu -shard=$part/2 -out=/study
done
inside report -out=/study
test -s "$ROOT/study/report.html"
IN
echo "bare.sh: a bundle trained and reported in a bare Debian root"
