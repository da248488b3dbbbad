#!/bin/bash
# Measures listing a volume of 200,000 files through a fresh mount, against ntfs-3g in turn on the same volume: all
# attributes (find with lstat), and names only. Prints medians and the ratios. The volume is the one that the tests keep
# in the cache folder, else one that is made here. Needs root, mkntfs and ntfs-3g. RUNS (default 7) sets the number of
# pairs.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/snapmount" ./cmd/snapmount
mkdir "$work/peer"
image=$(ls -t "${XDG_CACHE_HOME:-$HOME/.cache}"/snapmount-test/files200k-*/img/files200k.img.done 2>/dev/null | head -n 1)
image=${image%.done}
if [ -z "$image" ]; then
	image=$work/volume.raw
	truncate -s 1G "$image"
	mkntfs -F -Q -q -s 512 -p 0 -H 255 -S 63 -L files200k "$image" 2>"$work/said"
	ntfs-3g "$image" "$work/peer"
	mkdir "$work/peer/flat"
	(cd "$work/peer/flat" && seq -f 'file %06.0f.txt' 100000 | tr '\n' '\0' | xargs -0 touch)
	for d in $(seq 1000); do
		mkdir -p "$work/peer/tree/$((d % 10))/$d"
		(cd "$work/peer/tree/$((d % 10))/$d" && seq -f 'doc%03.0f.txt' 100 | xargs touch)
	done
	umount "$work/peer"
	while fuser -s "$image" 2>/dev/null; do sleep 0.05; done
fi

now() { date +%s%N; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
attributes() { find "$1" -size +100000G; }
names() { find "$1" -noleaf -name 'no such name'; }
timed() { # $1: what, $2: directory
	local t; t=$(now)
	"$1" "$2" >/dev/null
	echo $(( ($(now) - t) / 1000 ))
}
for i in $(seq "${RUNS:-7}"); do
	for what in attributes names; do
		"$work/snapmount" -d "$image" "$work/mnt" >/dev/null
		point=$(echo "$work"/mnt/p0-*/current)
		timed $what "$point/" >>"$work/ours.$what"
		[ "$i $what" != "1 names" ] || find "$point/" -printf '%P %y\n' | sort >"$work/ours.list"
		"$work/snapmount" umount "$work/mnt"
		while [ -e "$work/mnt" ]; do sleep 0.02; done
		ntfs-3g -o ro "$image" "$work/peer"
		timed $what "$work/peer/" >>"$work/theirs.$what"
		[ "$i $what" != "1 names" ] || find "$work/peer/" -printf '%P %y\n' | sort | cmp - "$work/ours.list"
		umount "$work/peer"
	done
done
for what in attributes names; do
	a=$(median <"$work/ours.$what") b=$(median <"$work/theirs.$what")
	echo "$what of $(wc -l <"$work/ours.list") entries: snapmount $a us, ntfs-3g $b us"
	awk "BEGIN {printf \"ratio %.2f\n\", $a / $b}"
done
