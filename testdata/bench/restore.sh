#!/bin/bash
# Measures restore against cp and tar, and prints one table of medians: 100,000 small files against cp -a and tar from a
# mount of ntfs-3g, and a file of 2 GiB, without and with its SHA-256, against cp of a plain file of the same bytes. A ratio
# says how many times as fast snapmount is. The two take turns; all images are in the page cache, as far as it fits. In a
# round before, which is not timed, what they give is compared.
#
#	restore.sh [small|tar|large|hashed]...    default: all
#
# RUNS (default 3) sets the number of rounds, TARGET the folder to write to (default: a tmpfs of its own), VOLUMES that of
# the images, as mount.sh makes them. Needs root, ntfs-3g, and 3 GB of memory or disk for what is written.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
volumes=${VOLUMES:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-bench}
runs=${RUNS:-3} status=0
work=$(mktemp -d)
mounted() { grep -q " $1 " /proc/self/mounts; }
clean_up() {
	local point
	[ -z "${TARGET:-}" ] || rm -rf --one-file-system "$target"
	for point in files target; do
		! mounted "$work/$point" || umount "$work/$point" || umount -l "$work/$point"
	done
	rm -rf --one-file-system "$work"
}
trap 'clean_up' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/files" "$work/target"
if [ -n "${TARGET:-}" ]; then
	target=$(mktemp -d -p "$TARGET")
else
	target=$work/target
	mount -t tmpfs -o size=3g tmpfs "$target"
fi
CGO_ENABLED=0 go build -o "$work/snapmount" ./cmd/snapmount

image() { # NAME
	[ -e "$volumes/$1.img.done" ] || { echo "$volumes/$1.img is missing: mount.sh $2 makes it" >&2; exit 1; }
	echo "$volumes/$1.img"
}
small_cp() { cp -a "$work/files/small" "$target/out/small"; }
small_restore() { "$work/snapmount" restore "$(image small small)@current:/small" "$target/out"; }
small_sum() { (cd "$target/out/small" && find . -type f -print0 | sort -z | xargs -0 sha256sum && find . -type f -printf '%P %T@\n' | sort) | sha256sum; }
unpack_or_drop() { if [ "$round" = 0 ]; then tar -C "$target/out" -xf -; else cat >/dev/null; fi; }
tar_cp() { tar --format=posix -C "$work/files" -cf - small | unpack_or_drop; }
tar_restore() { "$work/snapmount" restore --to - "$(image small small)@current:/small" | unpack_or_drop; }
tar_sum() { small_sum; }
large_cp() { cp "$(image copy sequential)" "$target/out/sequential.bin"; }
large_restore() { "$work/snapmount" restore "$(image eight sequential)@current:/sequential.bin" "$target/out"; }
hashed_cp() { large_cp; }
hashed_restore() { "$work/snapmount" restore --receipt "$target/out/receipt.json" "$(image eight sequential)@current:/sequential.bin" "$target/out"; }
hashed_sum() { large_sum; }
large_sum() { sha256sum <"$target/out/sequential.bin"; }

measure() { # TASK
	local round party begin
	for round in $(seq 0 "$runs"); do
		for party in cp restore; do
			rm -rf --one-file-system "$target/out"
			mkdir "$target/out"
			[ "$1.$party" != small.cp ] && [ "$1.$party" != tar.cp ] || ntfs-3g -o ro "$(image small small)" "$work/files"
			begin=${EPOCHREALTIME/./}
			"$1_$party" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
			echo $((${EPOCHREALTIME/./} - begin)) >>"$work/$1.$party"
			! mounted "$work/files" || umount "$work/files"
			if [ "$round" = 0 ]; then
				"$1_sum" >"$work/$1.$party.sum"
				: >"$work/$1.$party"
			fi
		done
		[ "$round" != 0 ] || cmp -s "$work/$1.cp.sum" "$work/$1.restore.sum" || { echo "$1: not the same" >&2; status=1; }
	done
	rm -rf --one-file-system "$target/out"
}
median() { sort -n "$work/$1" | sed -n "$(((runs + 1) / 2))p"; }
row() { # TASK TITLE AT-LEAST
	local cp restore
	cp=$(median "$1.cp") restore=$(median "$1.restore")
	awk -v t="$2" -v c="$cp" -v r="$restore" -v least="$3" 'BEGIN {
		printf "%-44s %8.2f s %8.2f s %7.2f (wanted: %s)\n", t, c / 1e6, r / 1e6, c / r, least; exit c / r < least }' || status=1
}

printf '%-44s %10s %10s %7s\n' "" cp restore ratio
for task in "${@:-small tar large hashed}"; do
	for task in $task; do
		measure "$task"
		case $task in
		small) row small "100,000 files of 0.5 to 4 KiB (cp -a, ntfs-3g)" 2 ;;
		tar) row tar "the same as a tar (tar, ntfs-3g)" 1 ;;
		hashed) row hashed "2 GiB in one file with a receipt (the same cp)" 0.5 ;;
		large) row large "2 GiB in one file (cp of a plain file)" 0.8 ;;
		esac
	done
done
exit "$status"
