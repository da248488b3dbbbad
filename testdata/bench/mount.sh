#!/bin/bash
# Measures the mount against other programs on the same volumes, and prints one table of medians. A ratio says how many
# times as fast snapmount is. The programs take turns, each time with a fresh mount. In a round before, which is not
# timed, what they give is compared; it also loads the image into the page cache, as far as it fits.
#
#	mount.sh [sequential|tar|random|list|small|start|walk]...    default: all, walk only with WALK=1
#
# RUNS (default 5) sets the number of rounds, READS (40000) that of random reads, VOLUMES the folder of the images, which
# are made when they are missing: about 18 GB for all. Needs root, what testdata/make needs, and vshadowmount.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
volumes=${VOLUMES:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-bench}
runs=${RUNS:-5} reads=${READS:-40000} status=0
work=$(mktemp -d)
trap 'clean_up' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$volumes" "$work/blocks" "$work/files" "$work/one"
for program in cmd/snapmount testdata/bench/onefile testdata/bench/randread; do
	CGO_ENABLED=0 go build -o "$work" "./$program"
done

# --- programs: a party is PROGRAM, or PROGRAM:POINT

up() { # IMAGE PARTY: mounts; dir is where the files of the point are
	dir=$work/files
	case $2 in
	snapmount:*)
		"$work/snapmount" -d "$1" "$work/mnt" >"$work/said"
		dir=$(echo "$work"/mnt/p0*/"${2#*:}") ;;
	ntfs-3g) ntfs-3g -o ro "$1" "$work/files" ;;
	vshadowmount:*)
		vshadowmount "$1" "$work/blocks" >"$work/said"
		ntfs-3g -o ro "$work/blocks/${2#*:}" "$work/files" ;;
	onefile)
		dir=$work/one
		"$work/onefile" "$(volume copy)" "$work/one/sequential.bin" &
		until mounted "$work/one"; do kill -0 $! || exit; sleep 0.02; done
		echo 512 >"/sys/class/bdi/0:$(stat -c %d "$work/one")/read_ahead_kb" ;; # as snapmount does
	esac
}
mounted() { grep -q " $1 " /proc/self/mounts; }
down() { # ends what is mounted, the upper file system first; what it lies on is busy until its program has ended
	local point try
	for point in files blocks one; do
		for try in $(seq 200); do
			mounted "$work/$point" || break
			timeout -k 1 20 umount "$work/$point" 2>"$work/said" || { [ $? -lt 124 ] || break; sleep 0.05; } # 124: it hangs
		done
	done
	! mounted "$work/mnt" || timeout -k 1 20 "$work/snapmount" umount "$work/mnt"
}
clean_up() {
	local point
	down || true
	for point in files blocks one mnt; do
		! mounted "$work/$point" || { echo "$work/$point: still in use, detached" >&2; umount -l "$work/$point" || true; }
	done
	rm -rf --one-file-system "$work"
}

# --- volumes

volume() { # NAME: prints the image file, made if it is missing
	local image=$volumes/$1.img
	if [ ! -e "$image.done" ]; then
		echo "making $image" >&2
		case $1 in
		small) make_small "$image" ;;
		copy)
			ntfs-3g -o ro "$(volume eight)" "$work/files"
			cp "$work/files/sequential.bin" "$image"
			down ;;
		*) go run ./testdata/make "$1" "$image" ;;
		esac >&2
		touch "$image.done"
	fi
	echo "$image"
}
make_small() { # IMAGE: 100,000 files of 0.5 to 4 KiB, a third of them resident in the MFT, and 200,000 empty ones
	rm -f "$1"
	truncate -s 3G "$1"
	mkntfs -F -Q -q -s 512 -p 0 -H 255 -S 63 -L small "$1"
	ntfs-3g "$1" "$work/files"
	mkdir -p "$work"/files/list/{flat,tree} "$work"/files/small/d{00..99}
	(cd "$work/files/small" && { base64 /dev/urandom 2>/dev/null || true; } | awk '
		lines == 0 {
			if (n > 0) close(name)
			if (n == 100000) exit
			name = sprintf("d%02d/%03d.txt", n / 1000, n % 1000)
			lines = n++ % 3 ? 10 + int(44 * rand()) : 7 + int(2 * rand())
		}
		{ print >name; lines-- }')
	(cd "$work/files/list/flat" && seq -f 'file %06.0f.txt' 100000 | tr '\n' '\0' | xargs -0 touch)
	for d in $(seq 1000); do
		mkdir -p "$work/files/list/tree/$((d % 10))/$d"
		(cd "$work/files/list/tree/$((d % 10))/$d" && seq -f 'doc%03.0f.txt' 100 | xargs touch)
	done
	down
	while fuser -s "$1" 2>"$work/said"; do sleep 0.05; done
}

# --- tasks: each works in dir, and its _sum tells what is there

sequential() { dd if="$dir/sequential.bin" of=/dev/null bs=1M status=none; }
sequential_sum() { sha256sum <"$dir/sequential.bin"; }
random1() { "$work/randread" "$dir/random.bin" "$reads" 1; }
random1_sum() { random1; }
random8() { "$work/randread" "$dir/random.bin" "$reads" 8; }
random8_sum() { random8; }
many() { tar c -C "$dir" --exclude='./System Volume Information' . | cat; } # to /dev/null tar and grep do not read
many_sum() { contents "$dir"; }
lstat() { find "$dir/list" -size +100000G; }
lstat_sum() { find "$dir/list" -type d -printf '%P %y\n' -o -printf '%P %y %s %n %T@\n' | sort | sha256sum; }
again() {
	lstat
	begin=${EPOCHREALTIME/./}
	lstat
}
again_sum() {
	lstat
	lstat_sum
}
names() { find "$dir/list" -noleaf -name 'no such name'; }
names_sum() { find "$dir/list" -noleaf -printf '%P %y\n' | sort | sha256sum; }
small() { tar c -C "$dir" small | cat; }
small_sum() { contents "$dir/small"; }
search() { grep -r AAA "$dir/small" | cat; }
search_sum() { (cd "$dir/small" && grep -r AAA | sort); }
start() { ls -l "$dir/"; }
start_sum() { ls -A "$dir/"; }
contents() { # DIR
	(cd "$1" && find . -name 'System Volume Information' -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
}

measure() { # TASK VOLUME PARTY...
	local task=$1 image party round begin
	image=$(volume "$2")
	shift 2
	for round in $(seq 0 "$runs"); do
		for party; do
			begin=${EPOCHREALTIME/./}
			up "$image" "$party"
			if [ "$round" = 0 ]; then
				"${task}_sum" >"$work/$task.$party.sum"
			else
				[ "$task" = start ] || begin=${EPOCHREALTIME/./}
				"$task" >/dev/null
				echo $((${EPOCHREALTIME/./} - begin)) >>"$work/$task.$party"
			fi
			down
		done
	done
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() { # WHAT TASK PARTY PEER GOAL [other]: the last says that the peer had other content
	local ours=$work/$2.$3 peer=$work/$2.$4
	if [ "${6-}" = "" ] && ! cmp -s "$ours.sum" "$peer.sum"; then
		status=1
		echo "| $1 | WRONG: not what ${4%:*} gives | | | |"
		return
	fi
	awk -v what="$1" -v a="$(median "$ours")" -v b="$(median "$peer")" -v peer="${4%:*}" -v goal="$5" 'BEGIN {
		sub("onefile", "one-file server", peer)
		sub("vshadowmount", "vshadowmount + ntfs-3g", peer)
		missed = goal == "" || (goal ~ /^</ ? a / 1000 < substr(goal, 3) + 0 : b / a >= substr(goal, 4) + 0) ? "" : ", missed"
		printf "| %s | %.3f s | %s %.3f s | %.2f | %s%s |\n", what, a / 1e6, peer, b / 1e6, b / a, goal, missed
	}'
}

# --- groups of rows

rows_sequential() {
	local old=snapmount:vss1 now=snapmount:current what='sequential read of 2 GiB'
	measure sequential eight $now onefile ntfs-3g $old vshadowmount:vss1
	row "$what, current" sequential $now onefile '>= 0.8'
	row "$what, current" sequential $now ntfs-3g '>= 1'
	row "$what, oldest of 8" sequential $old onefile '>= 0.8' other
	row "$what, oldest of 8" sequential $old vshadowmount:vss1 '>= 5'
}
rows_tar() {
	measure many many snapmount:vss1 vshadowmount:vss1
	row 'tar of 4,000 files of 1 MiB, oldest of 64' many snapmount:vss1 vshadowmount:vss1 '>= 5'
}
rows_random() {
	local n
	for n in 1 8; do
		measure random$n eight snapmount:current ntfs-3g snapmount:vss1 vshadowmount:vss1
		row "$reads random reads of 4 KiB, $n at a time, current" random$n snapmount:current ntfs-3g '>= 1'
		row "$reads random reads of 4 KiB, $n at a time, oldest of 8" random$n snapmount:vss1 vshadowmount:vss1 ''
	done
}
rows_list() {
	measure lstat small snapmount:current ntfs-3g
	measure again small snapmount:current ntfs-3g
	measure names small snapmount:current ntfs-3g
	row 'find with lstat of 200,000 files' lstat snapmount:current ntfs-3g '>= 2'
	row 'the same walk again' again snapmount:current ntfs-3g '>= 1'
	row 'find by name of 200,000 files' names snapmount:current ntfs-3g ''
}
rows_small() {
	measure search small snapmount:current ntfs-3g
	measure small small snapmount:current ntfs-3g
	row 'grep -r of 100,000 small files' search snapmount:current ntfs-3g '>= 1.2'
	row 'tar of 100,000 small files' small snapmount:current ntfs-3g '>= 1.2'
}
rows_start() {
	measure start many snapmount:vss1 vshadowmount:vss1
	row 'start to first listing of the oldest of 64' start snapmount:vss1 vshadowmount:vss1 '< 300 ms'
}
rows_walk() {
	local pid point
	up "$(volume wide)" snapmount:current
	pid=$(sed -n 's/.*in process \([0-9]*\),.*/\1/p' "$work/said")
	for point in $(seq 64); do
		find "${dir%current}vss$point/" -size +100000G
	done
	awk -v what='memory after a walk of 64 points of 200,000 files' '/VmRSS/ {rss = $2} /VmHWM/ {peak = $2} END {
		printf "| %s | %d MB, peak %d MB | | | < 300 MB%s |\n", what, rss / 1024, peak / 1024, rss < 300 * 1024 ? "" : ", missed"
	}' "/proc/$pid/status"
	down
}

[ $# -gt 0 ] || set -- sequential tar random list small start ${WALK:+walk}
for group; do
	declare -F "rows_$group" >/dev/null || { echo "$group: want sequential, tar, random, list, small, start or walk" >&2; exit 2; }
done
echo "| medians of $runs | snapmount | peer | ratio | goal |"
echo "|---|---|---|---|---|"
for group; do "rows_$group"; done
exit "$status"
