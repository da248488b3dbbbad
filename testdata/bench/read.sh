#!/bin/bash
# Measures reading a 1 GB file through the mount, everything in the page cache, against ntfs-3g in turn on the same
# volume. Prints medians and the ratio. Needs root, mkntfs and ntfs-3g. RUNS (default 7) sets the number of pairs.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/snapmount" ./cmd/snapmount
truncate -s 2G "$work/volume.raw"
mkntfs -F -Q -q -s 512 -p 0 -H 255 -S 63 -L Read "$work/volume.raw" 2>"$work/said"
mkdir "$work/peer"
ntfs-3g "$work/volume.raw" "$work/peer"
dd if=/dev/urandom of="$work/peer/file" bs=1M count=1000 status=none
sum=$(sha256sum <"$work/peer/file")
umount "$work/peer"
while fuser -s "$work/volume.raw" 2>/dev/null; do sleep 0.05; done

now() { date +%s%N; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
timed() {
	local t; t=$(now)
	dd if="$1" of=/dev/null bs=1M status=none
	echo $(( ($(now) - t) / 1000 ))
}
for i in $(seq "${RUNS:-7}"); do
	"$work/snapmount" -d "$work/volume.raw" "$work/mnt" >/dev/null
	timed "$work/mnt/p0-Read/current/file" >>"$work/ours"
	[ "$i" != 1 ] || [ "$(sha256sum <"$work/mnt/p0-Read/current/file")" = "$sum" ]
	"$work/snapmount" umount "$work/mnt"
	while [ -e "$work/mnt" ]; do sleep 0.02; done
	ntfs-3g -o ro "$work/volume.raw" "$work/peer"
	timed "$work/peer/file" >>"$work/theirs"
	umount "$work/peer"
done
a=$(median <"$work/ours") b=$(median <"$work/theirs")
echo "1 GB, sequential: snapmount $a us, ntfs-3g $b us"
awk "BEGIN {printf \"ratio %.2f\n\", $a / $b}"
