#!/bin/bash
# Measures, on a sparse 128 GiB volume with six snapshots: what "info" takes, and the time from start to the first
# listing of a point, against vshadowmount + ntfs-3g doing the same in the same run. Prints medians and the ratio.
# Needs root, and what testdata/make needs. RUNS (default 15) sets the number of runs.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/snapmount" ./cmd/snapmount
go run ./testdata/make big "$work/big.img"
mkdir "$work/blocks" "$work/files"

now() { date +%s%N; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
info() {
	local t; t=$(now)
	"$work/snapmount" info --json "$work/big.img" >/dev/null
	echo $(( ($(now) - t) / 1000 ))
}
ours() { # $1: the point's number
	local t; t=$(now)
	"$work/snapmount" -d "$work/big.img" "$work/mnt" >/dev/null
	ls -l "$work/mnt/p0-Local/vss$1/Users/u03/d01/" >/dev/null
	echo $(( ($(now) - t) / 1000 ))
	"$work/snapmount" umount "$work/mnt"
	while [ -e "$work/mnt" ]; do sleep 0.02; done
}
peer() {
	local t; t=$(now)
	vshadowmount "$work/big.img" "$work/blocks" >/dev/null
	ntfs-3g -o ro "$work/blocks/vss$1" "$work/files"
	ls -l "$work/files/Users/u03/d01/" >/dev/null
	echo $(( ($(now) - t) / 1000 ))
	umount "$work/files"
	until umount "$work/blocks" 2>/dev/null; do sleep 0.02; done
}
runs=${RUNS:-15}
for i in $(seq "$runs"); do
	info >>"$work/info"
	ours $((i % 6 + 1)) >>"$work/ours"
	peer $((i % 6 + 1)) >>"$work/peer"
done
rss=$( { /usr/bin/time -f %M "$work/snapmount" info --json "$work/big.img" >/dev/null; } 2>&1)
a=$(median <"$work/ours") b=$(median <"$work/peer")
echo "info: median $(median <"$work/info") us, peak memory $rss KB"
echo "start to first listing of a point: snapmount $a us, vshadowmount + ntfs-3g $b us"
awk "BEGIN {printf \"ratio %.2f\n\", $a / $b}"
