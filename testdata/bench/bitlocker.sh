#!/bin/bash
# Measures how fast volumes encrypted by BitLocker are read, against dislocker and libbde on the same volume, and prints one
# table of medians. What counts is the time of the processor, user and system, of all programs that take part: it is what
# decryption costs, and bears a busy machine better than the time on the clock, which is in brackets. The peers show
# the decrypted volume only, and are read as far as the file that snapmount reads is long: no file system is in their time.
#
#	bitlocker.sh [ciphers|xts|cbc]...    default: all
#
# ciphers are those of the package, by its Go benchmark, against golang.org/x/crypto/xts on one core. RUNS (default 3) sets
# the number of rounds, READS (40000) that of random reads, VOLUMES the folder of the images, as mount.sh has it, which are
# made when they are missing: 3 GiB each. Needs root, what testdata/make needs, dislocker and bdemount.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
volumes=${VOLUMES:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-bench}
runs=${RUNS:-3} reads=${READS:-40000} status=0 server=
work=$(mktemp -d)
trap 'clean_up' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$volumes" "$work/peer"
for program in cmd/snapmount testdata/bench/randread; do
	CGO_ENABLED=0 go build -o "$work" "./$program"
done

volume() { # NAME: prints the image file, made if it is missing
	local image=$volumes/$1.img
	if [ ! -e "$image.done" ]; then
		echo "making $image" >&2
		go run ./testdata/make "$1" "$image" >&2
		touch "$image.done"
	fi
	echo "$image"
}
mounted() { grep -q " $1 " /proc/self/mounts; }
up() { # IMAGE PARTY: mounts; file is what is to be read, server the process behind it
	case $2 in
	snapmount)
		"$work/snapmount" -d --key-file "$1.key" "$1" "$work/mnt" >"$work/said"
		server=$(sed -n 's/.*in process \([0-9]*\),.*/\1/p' "$work/said")
		file=$(echo "$work"/mnt/p0*/current/sequential.bin) ;;
	dislocker)
		dislocker-fuse -r -V "$1" -p"$(<"$1.key")" -- "$work/peer"
		file=$work/peer/dislocker-file ;;
	libbde)
		bdemount -r "$(<"$1.key")" "$1" "$work/peer" >"$work/said"
		file=$work/peer/bde1 ;;
	esac
	[ "$2" = snapmount ] || server=$(pgrep -f "^(dislocker-fuse|bdemount) .* $work/peer")
}
down() {
	local try
	! mounted "$work/mnt" || timeout -k 1 20 "$work/snapmount" umount "$work/mnt"
	for try in $(seq 200); do
		mounted "$work/peer" || break
		timeout -k 1 20 umount "$work/peer" 2>"$work/said" || sleep 0.05
	done
	server=
}
clean_up() {
	down || true
	! mounted "$work/peer" || { echo "$work/peer: still in use, detached" >&2; umount -l "$work/peer" || true; }
	rm -rf --one-file-system "$work"
}

# --- tasks

sequential() { head -c 2G "$file"; }
random() { "$work/randread" "$1" "$reads" 1; }
ticks() { [ -z "$server" ] || awk '{print $14 + $15}' "/proc/$server/stat"; }
timed() { # FILE COMMAND...: appends seconds of the processor and on the clock, those of server included
	local to=$1 before
	shift
	before=$(ticks)
	TIMEFORMAT='%R %U %S'
	{ time "$@" >"$work/out" 2>"$work/said"; } 2>"$work/time" || { cat "$work/said" >&2; return 1; }
	echo "$(<"$work/time") $before $(ticks)" | awk -v hz="$(getconf CLK_TCK)" '{print $2 + $3 + ($5 - $4) / hz, $1}' >>"$to"
}
median() { cut -d ' ' -f "$2" "$work/$1" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() { # WHAT OURS PEER NAME GOAL
	awk -v what="$1" -v a="$(median "$2" 1)" -v ca="$(median "$2" 2)" -v b="$(median "$3" 1)" -v cb="$(median "$3" 2)" -v peer="$4" -v goal="$5" 'BEGIN {
		missed = goal == "" || b / a >= substr(goal, 4) + 0 ? "" : ", missed"
		printf "| %s | %.2f s (%.2f) | %s %.2f s (%.2f) | %.2f | %s%s |\n", what, a, ca, peer, b, cb, b / a, goal, missed
	}'
}
same() { # SUM IMAGE WHAT
	[ "$1" = "$(<"$2.sha256")" ] && return
	echo "| $3 | WRONG: not the content of the file | | | |"
	status=1
}
cat_file() { "$work/snapmount" cat --key-file "$1.key" "$1:sequential.bin" | cat; }
rows_volume() { # NAME WORDS
	local image round party
	image=$(volume "$1")
	same "$(cat_file "$image" | sha256sum | cut -d ' ' -f 1)" "$image" "$2"
	for round in $(seq "$runs"); do
		timed "$work/$1.cat" cat_file "$image"
		for party in snapmount dislocker libbde; do
			up "$image" $party
			[ "$round" != 1 ] || head -c 64M "$file" >/dev/null # the first read loads code, too
			timed "$work/$1.seq.$party" sequential
			timed "$work/$1.random.$party" random "$file"
			down
		done
	done
	row "$2, 2 GiB by cat" "$1.cat" "$1.seq.dislocker" dislocker '>= 5'
	row "$2, 2 GiB by cat" "$1.cat" "$1.seq.libbde" bdemount ''
	row "$2, 2 GiB of a mount" "$1.seq.snapmount" "$1.seq.dislocker" dislocker ''
	row "$2, 2 GiB of a mount" "$1.seq.snapmount" "$1.seq.libbde" bdemount ''
	row "$2, $reads times 4 KiB of a mount" "$1.random.snapmount" "$1.random.dislocker" dislocker '>= 1'
	row "$2, $reads times 4 KiB of a mount" "$1.random.snapmount" "$1.random.libbde" bdemount ''
}
rows_xts() { rows_volume xts 'XTS-AES 128'; }
rows_cbc() { rows_volume cbc 'AES-CBC 128'; }
rows_ciphers() {
	go test -run '^$' -bench Ciphers -benchtime 200ms -count "$runs" ./imagefmt/bitlocker | awk '
		/^Benchmark/ {sub(/-[0-9]+$/, "", $1); sub("BenchmarkCiphers/", "", $1); for (i = 2; i < NF; i++) if ($(i + 1) == "MB/cpu-s" && $i > best[$1]) best[$1] = $i; if (!seen[$1]++) order[++n] = $1}
		END {
			for (i = 1; i <= n; i++) {
				name = order[i]; peer = best[name "-x/crypto"]
				if (name ~ /crypto/) continue
				split(name, part, "/")
				if (peer) printf "| method %s, sectors of %d | %d MB/s | x/crypto %d MB/s | %.2f | >= 3.5%s |\n", part[2], part[1], best[name], peer, best[name] / peer, best[name] / peer < 3.5 ? ", missed" : ""
				else printf "| method %s, sectors of %d | %d MB/s | | | |\n", part[2], part[1], best[name]
			}
		}'
}

[ $# -gt 0 ] || set -- ciphers xts cbc
for group; do
	declare -F "rows_$group" >/dev/null || { echo "$group: want ciphers, xts or cbc" >&2; exit 2; }
done
echo "| time of the processor, medians of $runs | snapmount | peer | ratio | goal |"
echo "|---|---|---|---|---|"
for group; do "rows_$group"; done
exit "$status"
