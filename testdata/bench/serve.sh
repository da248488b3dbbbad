#!/bin/bash
# Measures what "snapmount serve" gives by WebDAV and NFS against a mount of the same program on the same volume, and by NBD
# against qemu-nbd on the same disk, and prints one table of medians. A ratio says how many times as fast as the other it is.
# Both take turns; in a round before, which is not timed, what they give is compared, and the image is loaded into the page
# cache, as far as it fits.
#
#	serve.sh [get|list|walk|nfs|nbd|endure]...    default: all but endure
#
# endure has 24 clients of WebDAV, the page, NFS and NBD read all points of that volume and of the demo image at once for
# MINUTES (default 5), compares all with sums that others made, and prints the memory of the server at each quarter: want 0
# wrong, and no growth.
#
# RUNS (default 5) sets the number of rounds, VOLUMES the folder of the images, which are made when they are missing: about
# 6 GB. Needs root, what testdata/make needs, curl, rclone for "walk", libnfs-utils for "nfs", nbdcopy and qemu-nbd for
# "nbd", and vshadowmount for "endure".
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
volumes=${VOLUMES:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-bench}
runs=${RUNS:-5} status=0 pid= peer= clients=()
work=$(mktemp -d)
trap 'clean_up' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$volumes" "$work/files"
CGO_ENABLED=0 go build -o "$work" ./cmd/snapmount

up() { # IMAGE...: mounts and serves them; mnt is the volume in the mount, url that of the share, token its password
	"$work/snapmount" -d "$@" "$work/mnt" >"$work/said"
	mnt=$(echo "$work"/mnt/*p0-*)
	rm -f "$work/served" # of the round before
	"$work/snapmount" serve --nfs --nbd "$work/nbd" "$@" 2>"$work/said" >"$work/served" &
	pid=$!
	until grep -qs token= "$work/served"; do kill -0 $pid || exit; sleep 0.02; done
	token=$(sed -n 's/.*token=//p' "$work/served")
	url=$(sed -n 's/.*\(http:.*\)?token.*/\1/p' "$work/served")dav/$(basename "$mnt")
	ports=$(sed -n 's/^by NFS.*,port=\([0-9]*\).*/nfsport=\1\&mountport=\1/p' "$work/served")
	auth=(-s -f -u "x:$token")
	rm -f "$work/qemu"
	qemu-nbd --read-only -f raw -t --shared=8 -k "$work/qemu" "$1" &
	peer=$!
	until [ -S "$work/qemu" ]; do kill -0 $peer || exit; sleep 0.02; done
}
down() {
	[ -z "$pid" ] || { kill $pid 2>/dev/null && wait $pid || true; pid=; }
	[ -z "$peer" ] || { kill $peer 2>/dev/null && wait $peer || true; peer=; }
	! grep -q " $work/mnt " /proc/self/mounts || "$work/snapmount" umount "$work/mnt"
}
clean_up() {
	[ ${#clients[@]} = 0 ] || kill "${clients[@]}" 2>/dev/null || true
	down || true
	! grep -q " $work/files " /proc/self/mounts || umount "$work/files" || true
	rm -rf --one-file-system "$work"
}

volume() { # NAME: prints the image file, made if it is missing
	local image=$volumes/$1.img
	if [ ! -e "$image.done" ]; then
		echo "making $image" >&2
		case $1 in
		names) make_names "$image" ;;
		*) go run ./testdata/make "$1" "$image" ;;
		esac >&2
		touch "$image.done"
	fi
	echo "$image"
}
make_names() { # IMAGE: 100,000 names in one directory, and 100,000 in a tree of 1,010
	rm -f "$1"
	truncate -s 1G "$1"
	mkntfs -F -Q -q -s 512 -p 0 -H 255 -S 63 -L names "$1"
	ntfs-3g "$1" "$work/files"
	mkdir -p "$work"/files/{flat,tree}
	(cd "$work/files/flat" && seq -f 'file %06.0f.txt' 100000 | tr '\n' '\0' | xargs -0 touch)
	for d in $(seq 1000); do
		mkdir -p "$work/files/tree/$((d % 10))/$d"
		(cd "$work/files/tree/$((d % 10))/$d" && seq -f 'doc%03.0f.txt' 100 | xargs touch)
	done
	umount "$work/files"
	while fuser -s "$1" 2>"$work/said"; do sleep 0.05; done
}

# --- tasks, by both, at a path; each _sum tells what is there

get_mount() { cat "$mnt/$1" >/dev/null; }
get_dav() { curl "${auth[@]}" -o /dev/null "$url/$1"; }
get_mount_sum() { sha256sum <"$mnt/$1"; }
get_dav_sum() { curl "${auth[@]}" "$url/$1" | sha256sum; }
list_mount() { find "$mnt/$1" -size +100000G; }
propfind() { # PATH PROPERTY...
	local path=$1
	shift
	curl "${auth[@]}" -X PROPFIND -H 'Depth: 1' -d "<propfind xmlns=\"DAV:\"><prop>$(printf '<%s/>' "$@")</prop></propfind>" "$url/$path/"
}
list_dav() { propfind "$1" resourcetype getcontentlength getlastmodified >/dev/null; }
list_mount_sum() { find "$mnt/$1" -mindepth 1 -printf '%f %s\n' | sort | sha256sum; }
list_dav_sum() {
	propfind "$1" displayname getcontentlength | sed -n '1,3d; s/.*<D:displayname>\(.*\)<\/D:displayname><D:getcontentlength>\([0-9]*\)<.*/\1 \2/p' | sort | sha256sum
}
dav() { # rclone with our share
	RCLONE_CONFIG=/notfound rclone "$1" ":webdav:${2}" --webdav-url "$url" --webdav-user x --webdav-pass "$(rclone obscure "$token")" "${@:3}"
}
walk_mount() { find "$mnt/$1" -size +100000G; }
walk_dav() { dav lsf "$1" -R >/dev/null; }
walk_mount_sum() { (cd "$mnt/$1" && find . -type f -printf '%P\n' | sort | sha256sum); }
walk_dav_sum() { dav lsf "$1" -R --files-only | sort | sha256sum; }

nfs() { "${@:2}" "nfs://127.0.0.1/$(basename "$mnt")/$1?version=3&$ports"; } # PATH PROGRAM: of libnfs, with our server
get_nfs() { nfs "$1" nfs-cat >/dev/null; }
get_nfs_sum() { nfs "$1" nfs-cat | sha256sum; }
walk_nfs() { nfs "$1" nfs-ls -R >/dev/null; }
walk_nfs_sum() { walk_nfs_list "$1" | sort | sha256sum; }
walk_nfs_list() { nfs "$1" nfs-ls -R | sed -n 's/^-[^ ]*\( *[0-9][0-9]*\)\{4\} //p'; } # of files: mode, links, owner, group, size, path

disk_nbd() { echo "nbd+unix:///$(basename "$mnt")%2F$1.img?socket=$work/nbd"; } # POINT
disk_qemu() { echo "nbd+unix:///?socket=$work/qemu"; }
copy_nbd() { nbdcopy "$(disk_nbd "$1")" null:; }
copy_qemu() { nbdcopy "$(disk_qemu)" null:; }
copy_nbd_sum() { nbdcopy "$(disk_nbd "$1")" - | sha256sum; }
copy_qemu_sum() { nbdcopy "$(disk_qemu)" - | sha256sum; }
pieces() { qemu-img bench -f raw -c 50000 -d 16 -s 4096 -S 1052672 "$1" >/dev/null; } # 4 KiB each, 1 MiB and 4 KiB on
pieces_nbd() { pieces "$(disk_nbd "$1")"; }
pieces_qemu() { pieces "$(disk_qemu)"; }
pieces_nbd_sum() { echo; } # which copy compares
pieces_qemu_sum() { echo; }

median() { sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() { # WHAT TASK VOLUME PATH GOAL [dav|nfs|nbd [qemu]]; each round has a mount and servers of its own
	local by round begin served=${6:-dav} other=${7:-mount}
	rm -f "$work"/*.times
	for round in $(seq 0 "$runs"); do
		up "$(volume "$3")"
		for by in $other $served; do
			if [ "$round" = 0 ]; then
				"$2_${by}_sum" "$4" >"$work/$by.sum"
			else
				begin=${EPOCHREALTIME/./}
				"$2_$by" "$4"
				echo $((${EPOCHREALTIME/./} - begin)) >>"$work/$by.times"
			fi
		done
		down
	done
	if ! cmp -s "$work/$other.sum" "$work/$served.sum"; then
		status=1
		echo "| $1 | WRONG: not what the $other gives | | | |"
		return
	fi
	awk -v what="$1" -v a="$(median "$work/$served.times")" -v b="$(median "$work/$other.times")" -v goal="$5" 'BEGIN {
		missed = goal == "" || b / a >= substr(goal, 4) + 0 ? "" : ", missed"
		printf "| %s | %.3f s | %.3f s | %.2f | %s%s |\n", what, a / 1e6, b / 1e6, b / a, goal, missed
	}'
}
rows_get() {
	row 'GET of 2 GiB, current; the mount: cat' get eight current/sequential.bin '>= 1'
	row 'the same, oldest of 8' get eight vss1/sequential.bin '>= 1'
}
rows_list() { row 'PROPFIND of 100,000 names; the mount: find -size' list names current/flat '>= 0.8'; }
rows_walk() { row 'rclone lsf -R of 100,000 files in 1,010 directories; the mount: find -size' walk names current/tree ''; }
rows_nfs() {
	row 'nfs-cat of 2 GiB, current; the mount: cat' get eight current/sequential.bin '>= 0.5' nfs
	row 'nfs-ls of 100,000 names; the mount: find -size' walk names current/flat '>= 0.5' nfs
	row 'nfs-ls -R of 100,000 files in 1,010 directories; the mount: find -size' walk names current/tree '>= 0.5' nfs
}

rows_nbd() {
	row 'nbdcopy of 8 GiB, current; qemu-nbd' copy eight current '>= 1' nbd qemu
	row '50,000 reads of 4 KiB, 16 at a time; qemu-nbd' pieces eight current '>= 1' nbd qemu
}

# --- all front ends at once; paths have the volume before them, and each client tells a line for each file: what it is to be,
# --- and what it is

by_dav() { curl "${auth[@]}" "${url%/*}/$(sed 's: :%20:g' <<<"$1")"; }
by_page() { curl "${auth[@]}" "${url%dav/*}raw/$(sed 's: :%20:g' <<<"$1")"; }
by_nfs() { mnt=${1%%/*} nfs "${1#*/}" nfs-cat; }
by_nbd() { # POINT/NUMBER: 64 MiB of a point's disk, from that GiB on; qemu-img's count includes what it skips
	qemu-img dd -f raw -O raw bs=1M skip=$((${1#*/} * 1024)) count=$((${1#*/} * 1024 + 64)) if="$(disk_nbd "${1%/*}")" of="$work/piece.$me" && cat "$work/piece.$me"
}
disk_sums() { # IMAGE: the same of what others show of the disk
	local point file n
	for point in current vss1 vss8; do
		file=$work/files/$point
		[ $point != current ] || file=$1
		for n in 0 1 2 3 4 7; do echo "$(dd if="$file" bs=1M skip=$((n * 1024)) count=64 status=none | sha256sum | cut -d' ' -f1)  $point/$n"; done
	done
}
demo_sums() { # of the files of the demo image whose names need no escapes
	python3 -c '
import json, re
for label, points in json.load(open("testdata/demo.json")).items():
    for point, files in points.items():
        for path, sum in files.items():
            if len(sum) == 64 and re.fullmatch("[A-Za-z0-9 ./_-]*", path):
                print(sum + "  " + {"Documents": "d2p1", "Archive": "d2p2"}[label] + "-" + label + "/" + point + "/" + path)'
}
client() { # NUMBER BY SUMS END
	local lines want path got me=$1
	mapfile -t lines <"$3"
	RANDOM=$1
	while [ "$EPOCHSECONDS" -lt "$4" ]; do
		read -r want path <<<"${lines[RANDOM % ${#lines[@]}]}"
		got=$("by_$2" "$path" | sha256sum | cut -d' ' -f1) || got=failed
		echo "$2 $want $got $path"
	done
}
rows_endure() {
	local image n by sums end seconds=$((${MINUTES:-5} * 60))
	image=$(volume eight)
	up "$image" testdata/demo.qcow2
	vshadowmount "$image" "$work/files" >"$work/said"
	disk_sums "$image" >"$work/disk.sums"
	demo_sums >"$work/file.sums"
	sed -n '/random/s:  :&d1p0-Eight/:p' "$image.sha256" >>"$work/file.sums"
	umount "$work/files"
	end=$((EPOCHSECONDS + seconds))
	for n in $(seq 24); do
		by=$(echo dav page nfs nbd | cut -d' ' -f$((n % 4 + 1)))
		sums=$work/file.sums
		[ $by != nbd ] || sums=$work/disk.sums
		client "$n" "$by" "$sums" "$end" >"$work/client.$n" 2>&1 &
		clients+=($!)
	done
	for n in 1 2 3 4; do
		sleep $((seconds / 4))
		echo "| endure, $n/4 | $(cat "$work"/client.* | wc -l) files | $(sed -n 's/^VmRSS:[[:space:]]*//p' /proc/$pid/status) | | |"
	done
	wait "${clients[@]}"
	clients=()
	for by in dav page nfs nbd; do echo "| endure, $by | $(cat "$work"/client.* | grep -c "^$by ") files | | | |"; done
	cat "$work"/client.* | awk 'NF < 4 || $2 != $3' >"$work/wrong"
	if [ -s "$work/wrong" ]; then
		status=1
		head -20 "$work/wrong" >&2
	fi
	echo "| endure: 24 clients | $(wc -l <"$work/wrong") wrong | | | 0 |"
	down
}

[ $# -gt 0 ] || set -- get list walk nfs nbd
for group; do
	declare -F "rows_$group" >/dev/null || { echo "$group: want get, list, walk, nfs, nbd or endure" >&2; exit 2; }
done
echo "| medians of $runs | served | other | ratio | goal |"
echo "|---|---|---|---|---|"
for group; do "rows_$group"; done
exit "$status"
