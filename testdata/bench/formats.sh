#!/bin/bash
# Measures how fast the formats are read, against the program that each is from, and prints one table of medians. Every
# image is made by that program from one raw disk of text, random bytes and zeros; first its whole content as read here
# is compared with that disk. Both sides read the same blocks of the same file from the page cache and drop them, each
# in a fresh process: by 1 MiB in a row, and by 64 KiB each a prime number of blocks (modulo the disk) after the one
# before, 1 and 8 at a time. Images that are not packed are read PASSES times, that starting does not count. The time
# of the processor, user and system, is in brackets: it bears a busy machine better than the time on the clock. A goal is
# missed by more than 3 %: what is not packed costs both sides the same copy in the kernel.
#
#	formats.sh [FORMAT]...    default: all, see "images" below
#
# Ours is bench/readimage. Its peers: "qemu-img bench", with io_uring where that works (AIO=threads is its own default, and
# slower); for E01 in a row ewfexport, which has no way to leave out its MD5, and else ewfmount, read by readimage, so
# that FUSE is in its time; gzip and zstd.
#
# RUNS (default 3) sets the number of rounds, PASSES (8) that of passes, SIZE (1G at most) the size of the disk, VOLUMES
# the folder of the images, about 12 times the size, which are made when they are missing. Needs qemu-utils; what else
# is not there leaves its rows out, and ewfmount needs root or fusermount.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
size=$(numfmt --from=iec "${SIZE:-1G}")
volumes=${VOLUMES:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-bench}/formats-$size
runs=${RUNS:-3} passes=${PASSES:-8} block=65536 status=0 server=
blocks=$((size / block))
((size <= 1 << 30 && size % (1 << 20) == 0 && blocks % 10007)) || { echo "SIZE: want whole MiB, 1G at most" >&2; exit 2; }
work=$(mktemp -d)
trap 'clean_up' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$volumes" "$work/mnt"
go build -o "$work" ./testdata/bench/readimage

unmount() {
	[ -n "$server" ] || return 0
	{ umount "$work/mnt" || fusermount -u "$work/mnt" || kill "$server" || true; } 2>"$work/said"
	while kill -0 "$server" 2>"$work/said"; do sleep 0.02; done
	server=
}
clean_up() {
	unmount
	rm -rf --one-file-system "$work"
}

# --- images

images() { # NAME PEER [OPTIONS OF QEMU-IMG CONVERT OR EWFACQUIRE]
	cat <<-'END'
		raw raw
		qcow2 qcow2 -O qcow2
		qcow2-4K qcow2 -O qcow2 -o cluster_size=4k
		qcow2-2M qcow2 -O qcow2 -o cluster_size=2M
		qcow2-scattered qcow2 -o cluster_size=4k
		qcow2-backing qcow2 -O qcow2 -B base.qcow2 -F qcow2
		qcow2-zlib qcow2 -O qcow2 -c
		qcow2-zstd qcow2 -O qcow2 -c -o compression_type=zstd
		vhd-fixed vpc -O vpc -o subformat=fixed,force_size=on
		vhd-dynamic vpc -O vpc -o subformat=dynamic,force_size=on
		vhdx-fixed vhdx -O vhdx -o subformat=fixed
		vhdx-dynamic vhdx -O vhdx -o subformat=dynamic
		vmdk-flat vmdk -O vmdk -o subformat=monolithicFlat
		vmdk-sparse vmdk -O vmdk -o subformat=monolithicSparse
		vmdk-scattered vmdk -o subformat=monolithicSparse
		vmdk-stream vmdk -O vmdk -o subformat=streamOptimized
		vdi-static vdi -O vdi -o static=on
		vdi-dynamic vdi -O vdi
		e01-none ewf -c none
		e01-fast ewf -c fast
		e01-best ewf -c best
		e01-segments ewf -c fast -S 64MiB
		gzip gzip
		zstd zstd
	END
}
packed() { [[ $1 =~ zlib|zstd|gzip|stream|e01 ]]; }
raw() { # prints the raw disk
	local disk=$volumes/disk.raw
	if [ ! -e "$disk" ]; then
		go run ./testdata/make mixed "$disk.part"
		truncate -s "$size" "$disk.part"
		sha256sum <"$disk.part" | cut -d ' ' -f 1 >"$disk.sha256"
		mv "$disk.part" "$disk"
	fi
	echo "$disk"
}
image() { # NAME PEER [OPTION]...: prints the image, in a folder of its own, made if it is missing
	local dir=$volumes/$1 peer=$2 disk file
	disk=$(raw)
	case $peer in
	raw) echo "$disk" && return ;;
	ewf) file=disk.E01 ;;
	gzip) file=disk.raw.gz ;;
	zstd) file=disk.raw.zst ;;
	*) file=disk.$peer ;;
	esac
	if [ ! -d "$dir" ]; then
		echo "making $dir" >&2
		rm -rf "$dir.part"
		mkdir "$dir.part"
		shift 2
		(cd "$dir.part" && case $peer in
		ewf) ewfacquire -q -u -t disk "$@" "$disk" ;;
		gzip) gzip -c "$disk" >"$file" ;;
		zstd) zstd -q -c "$disk" >"$file" ;;
		*)
			case $dir in
			*-backing) make_base "$disk" ;;
			*-scattered)
				scatter "$peer" "$file" "$@"
				set -- -n -O "$peer" ;;
			esac
			qemu-img convert -f raw "$@" "$disk" "$file" ;;
		esac) >"$work/said" 2>&1 || { cat "$work/said" >&2; return 1; }
		mv "$dir.part" "$dir"
	fi
	echo "$dir/$file"
}
scatter() { # FORMAT FILE [OPTION]...: every 4 KiB is written, far from the one before
	qemu-img create -q -f "$1" "${@:3}" "$2" "$size"
	qemu-img bench -w -t unsafe -f "$1" -s 4096 -S $((40009 * 4096)) -c $((size / 4096)) -d 8 "$2"
}
make_base() { # RAW: base.qcow2 is the disk with every eighth MiB blank
	local i
	cp --sparse=always "$1" base.raw
	for ((i = 0; i < size >> 20; i += 8)); do
		fallocate -p -o "${i}MiB" -l 1MiB base.raw
	done
	qemu-img convert -f raw -O qcow2 base.raw base.qcow2
	rm base.raw
}

# --- tasks: in a row (seq), each elsewhere (random1, random8)

numbers() { # TASK TIMES: block size, step, count, depth
	case $1 in
	seq) echo $((1 << 20)) $((1 << 20)) $(((size >> 20) * $2)) 1 ;;
	random*) echo $block $((10007 % blocks * block)) $((blocks * $2)) "${1#random}" ;;
	esac
}
ours() { # TASK TIMES IMAGE
	"$work/readimage" "$3" $(numbers "$1" "$2")
}
peer() { # TASK TIMES IMAGE PEER
	local bytes step count depth
	read -r bytes step count depth < <(numbers "$1" "$2")
	case $4 in
	ewfexport) ewfexport -q -u -t - -f raw "$3" | cat ;;
	ewfmount) ours "$1" "$2" "$work/mnt/ewf1" ;;
	gzip | zstd) "$4" -dc "$3" ;;
	*) qemu-img bench -f "$4" -i "$aio" -s "$bytes" -S "$step" -c "$count" -d "$depth" "$3" ;;
	esac
}
peer_of() { # TASK PEER: the program
	case $1.$2 in
	seq.ewf) echo ewfexport ;;
	*.ewf) echo ewfmount ;;
	*) echo "$2" ;;
	esac
}
ticks() { [ -z "$server" ] || awk '{print $14 + $15}' "/proc/$server/stat"; }
timed() { # FILE COMMAND...: appends seconds on the clock and of the processor, those of server included
	local file=$1 before
	shift
	before=$(ticks)
	TIMEFORMAT='%R %U %S'
	{ time "$@" >/dev/null 2>"$work/said"; } 2>"$work/time" || { cat "$work/said" >&2; return 1; }
	echo "$(<"$work/time") $before $(ticks)" | awk -v hz="$(getconf CLK_TCK)" '{print $1, $2 + $3 + ($5 - $4) / hz}' >>"$file"
}
serve() { # IMAGE: mounts it, with empty caches
	ewfmount "$1" "$work/mnt" >"$work/said"
	server=$(pgrep -f "ewfmount .* $work/mnt")
	until [ -e "$work/mnt/ewf1" ]; do kill -0 "$server"; sleep 0.02; done
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() { # NAME WHAT PEER GOAL: of the times in work/ours and work/peer
	local a b cpu_a cpu_b
	a=$(median <"$work/ours") cpu_a=$(cut -d ' ' -f 2 "$work/ours" | median)
	b=$(median <"$work/peer") cpu_b=$(cut -d ' ' -f 2 "$work/peer" | median)
	awk -v name="$1, $2" -v a="$a" -v b="$b" -v ca="$cpu_a" -v cb="$cpu_b" -v peer="$3" -v goal="$4" 'BEGIN {
		if (peer !~ /ewf|gzip|zstd/) peer = "qemu-img"
		missed = b / a * 1.03 >= goal ? "" : ", missed"
		printf "| %s | %.2f s (%.2f) | %s %.2f s (%.2f) | %.2f (%.2f) | %s%s |\n",
			name, a, ca, peer, b, cb, b / a, cb / ca, ">= " goal, missed
	}'
}
measure() { # NAME PEER IMAGE
	local task program round goal times=$passes
	declare -A what=([seq]='in a row' [random1]='64 KiB anywhere' [random8]='64 KiB anywhere, 8 at a time')
	! packed "$1" || times=1
	for task in seq random1 random8; do
		[[ $task.$2 != random*.gzip && $task.$2 != random*.zstd ]] || continue # which unpack from the start only
		program=$(peer_of $task "$2") goal=1
		[ "$program" != ewfexport ] || goal=2
		rm -f "$work/ours" "$work/peer"
		for round in $(seq "$runs"); do
			timed "$work/ours" ours $task "$times" "$3"
			[ "$program" != ewfmount ] || serve "$3"
			timed "$work/peer" peer $task "$times" "$3" "$program"
			unmount
		done
		row "$1" "${what[$task]}" "$program" "$goal"
	done
}
able() { # PEER
	case $1 in
	ewf) command -v ewfacquire ewfexport ewfmount ;;
	gzip | zstd) command -v "$1" ;;
	*) command -v qemu-img ;;
	esac >"$work/said" || { echo "left out: no program for $1 images" >&2; return 1; }
}

truncate -s 1M "$work/try.raw"
aio=${AIO:-io_uring}
qemu-img bench -f raw -i "$aio" -c 1 "$work/try.raw" >"$work/said" 2>&1 || aio=threads
for name; do
	images | grep -q "^$name " || { echo "$name: want one of" $(images | cut -d ' ' -f 1) >&2; exit 2; }
done
echo "| medians of $runs, $((size >> 20)) MiB, qemu-img with $aio | snapmount | peer | ratio | goal |"
echo "|---|---|---|---|---|"
while read -r name peer options; do
	[ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
	able "$peer" || continue
	file=$(image "$name" "$peer" $options)
	if ! sum=$("$work/readimage" "$file" 2>"$work/said") && grep -q unsupported "$work/said"; then
		echo "left out: $(<"$work/said")" >&2
		continue
	fi
	if [ "$sum" != "$(<"$volumes/disk.raw.sha256")" ]; then
		cat "$work/said" >&2
		echo "| $name | WRONG: not the content of the disk | | | |"
		status=1
		continue
	fi
	measure "$name" "$peer" "$file"
done < <(images)
exit "$status"
