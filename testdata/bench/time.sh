#!/bin/bash
# Measures what goes over many points in time against other programs on the same volumes, and prints one table of medians.
# A ratio says how many times as fast snapmount is. Results are checked against what was written to the volumes.
#
#	time.sh [diff|history|timeline]...    default: all
#
# RUNS (default 5) sets the number of rounds, PEER_RUNS (default 1) those of the other programs, which take minutes;
# VOLUMES the folder of the images, as mount.sh has it, which are made when they are missing: about 12 GB for all, and
# 4 minutes for the million files. Needs root, what testdata/make needs, vshadowmount, python3 and /usr/bin/time.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
volumes=${VOLUMES:-${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-bench}
runs=${RUNS:-5} peer_runs=${PEER_RUNS:-1} status=0
work=$(mktemp -d)
trap 'clean_up' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$volumes" "$work/blocks" "$work/files"
CGO_ENABLED=0 go build -o "$work/snapmount" ./cmd/snapmount

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
down() { # POINT...: ends what is mounted; what a file system lies on is busy until its program has ended
	local point try
	for point; do
		for try in $(seq 200); do
			mounted "$work/$point" || break
			timeout -k 1 20 umount "$work/$point" 2>/dev/null || sleep 0.05
		done
	done
}
clean_up() {
	local point
	down files blocks
	for point in files blocks; do
		! mounted "$work/$point" || { echo "$work/$point: still in use, detached" >&2; umount -l "$work/$point" || true; }
	done
	rm -rf --one-file-system "$work"
}
have() { # COMMAND: whether snapmount has it
	"$work/snapmount" help "$1" 2>&1 | grep -q "^ *snapmount $1 " && return
	echo "SKIPPED: snapmount has no command $1" >&2
	return 1
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

ours() { # NAME ARGUMENT...: runs snapmount, for time and memory; the first round, which fills the page cache, does not count
	local name=$1 round begin
	shift
	for round in $(seq 0 "$runs"); do
		begin=${EPOCHREALTIME/./}
		/usr/bin/time -f %M -a -o "$work/$name.rss" "$work/snapmount" "$@" >"$work/$name.out" 2>"$work/$name.err" ||
			{ echo "snapmount $*: exit $?" >&2; tail -n 5 "$work/$name.err" >&2; status=1; return; }
		[ "$round" = 0 ] || echo $((${EPOCHREALTIME/./} - begin)) >>"$work/$name.time"
	done
}
peer() { # NAME FUNCTION: the same of another program
	local round begin
	for round in $(seq "$peer_runs"); do
		begin=${EPOCHREALTIME/./}
		"$2" >"$work/$1.out"
		echo $((${EPOCHREALTIME/./} - begin)) >>"$work/$1.time"
		down files blocks
	done
}
row() { # WHAT OURS PEER RATIO SECONDS CHECK: goals are a ratio at least, and seconds at most; the check is its exit code
	if [ ! -s "$work/$2.time" ] || [ "$6" != 0 ]; then
		status=1
		echo "| $1 | WRONG: see above | | | | |"
		return
	fi
	awk -v what="$1" -v a="$(median "$work/$2.time")" -v b="$(median "$work/$3.time")" -v rss="$(sort -n "$work/$2.rss" | tail -n 1)" -v ratio="$4" -v limit="$5" 'BEGIN {
		goal = (ratio == "" ? "" : ">= " ratio) (ratio != "" && limit != "" ? ", " : "") (limit == "" ? "" : "<= " limit " s")
		missed = ratio != "" && b / a < ratio || limit != "" && a / 1e6 > limit || rss >= 400 * 1024
		printf "| %s | %.3f s | %.3f s | %.1f | %d MB | %s%s |\n", what, a / 1e6, b / 1e6, b / a, rss / 1024, goal, missed ? ", missed" : ""
	}'
}

# --- diff: 1 % of a million files

two_walks() { # what a script does: list both points, sort, compare
	local point
	vshadowmount "$(volume million)" "$work/blocks" >/dev/null
	ntfs-3g -o ro "$work/blocks/vss1" "$work/files"
	list_files | sort >"$work/before"
	down files
	ntfs-3g -o ro "$(volume million)" "$work/files"
	list_files | sort >"$work/after"
	diff "$work/before" "$work/after" || [ $? = 1 ]
}
list_files() { find "$work/files/data" -printf '%P\t%i\t%s\t%y\t%T@\t%C@\n'; }
check_diff() { # of files, exactly what was done must be told
	python3 - "$1.changes.jsonl" "$work/diff.out" <<'EOS'
import json, sys
def key(c): return (c["kind"], c["path"], c.get("old_path") or "")
want = {key(json.loads(l)) for l in open(sys.argv[1])}
got = [json.loads(l) for l in open(sys.argv[2])]
got = {key(c) for c in got if c["kind"] != "metadata" and c.get("type") != "dir"}
for name, some in (("missed", want - got), ("invented", got - want)):
    if some: print(f"diff {name} {len(some)}, such as {sorted(some)[:3]}", file=sys.stderr)
sys.exit(want != got)
EOS
}
rows_diff() {
	local image ok=0
	have diff || return 0
	image=$(volume million)
	ours diff diff --json "$image@vss1" "$image@current"
	peer walks two_walks
	check_diff "$image" || ok=1
	row 'diff of two points of 1,000,000 files, 1 % changed' diff walks 20 3 "$ok"
}

# --- history: one path over 64 points and the current state

many_path=d00/file0000.bin
each_point() { # each opened by itself
	local n
	for n in $(seq 64); do
		vshadowmount "$(volume many)" "$work/blocks" >/dev/null
		ntfs-3g -o ro "$work/blocks/vss$n" "$work/files"
		stat -c '%i %s %Y' "$work/files/$many_path"
		down files blocks
	done
}
all_points() { # by one vshadowmount
	local n
	vshadowmount "$(volume many)" "$work/blocks" >/dev/null
	for n in $(seq 64); do
		ntfs-3g -o ro "$work/blocks/vss$n" "$work/files"
		stat -c '%i %s %Y' "$work/files/$many_path"
		down files
	done
}
check_history() { # each version's SHA-256 must be that of all its points
	"$work/snapmount" history --json --hash --all "$1:/$many_path" | python3 -c '
import json, sys
want = {}
for line in open(sys.argv[1]):
    digest, where = line.split("  ", 1)
    point, path = where.rstrip("\n").split("/", 1)
    if path == sys.argv[2]: want[point] = digest
rows = [json.loads(l) for l in sys.stdin]
got = {("current" if r["first"] == "current" else f"vss{i + 1}"): r["sha256"] for i, r in enumerate(rows)}
if len(want) != 65 or got != want: sys.exit("history: not what was written")
' "$1.sha256" "$many_path"
	[ "$(wc -l <"$work/history.out")" = 2 ] || { echo "history: $(wc -l <"$work/history.out") rows, want 2" >&2; return 1; }
}
rows_history() {
	local image ok=0
	have history || return 0
	image=$(volume many)
	ours history history --json "$image:/$many_path"
	peer each each_point
	peer once all_points
	check_history "$image" || ok=1
	row 'history of one path over 64 points, each opened by vshadowmount + ntfs-3g' history each 50 0.5 "$ok"
	row 'the same, one vshadowmount for all' history once '' 0.5 "$ok"
}

# --- timeline: 64 points of 200,000 files, against one

rows_timeline() {
	local image all one
	have timeline || return 0
	image=$(volume wide)
	timed_timeline one "$image@current"
	timed_timeline all "$image"
	all=$(median "$work/all.time") one=$(median "$work/one.time")
	awk -v a="$all" -v b="$one" -v rss="$(sort -n "$work/all.rss" | tail -n 1)" 'BEGIN {
		missed = a > 10 * b || rss >= 400 * 1024
		printf "| timeline of 64 points of 200,000 files, against one point | %.3f s | %.3f s | %.1f times as long | %d MB | <= 10 times%s |\n", a / 1e6, b / 1e6, a / b, rss / 1024, missed ? ", missed" : ""
	}'
}
timed_timeline() { # NAME LOCATION
	local name=$1 round begin
	for round in $(seq 0 "$runs"); do
		rm -f "$work/timeline.$name"
		begin=${EPOCHREALTIME/./}
		/usr/bin/time -f %M -a -o "$work/$name.rss" "$work/snapmount" timeline --format csv -o "$work/timeline.$name" "$2" >"$work/said" 2>&1
		[ "$round" = 0 ] || echo $((${EPOCHREALTIME/./} - begin)) >>"$work/$name.time"
	done
}

[ $# -gt 0 ] || set -- diff history timeline
for group; do
	declare -F "rows_$group" >/dev/null || { echo "$group: want diff, history or timeline" >&2; exit 2; }
done
echo "| medians of $runs | snapmount | peer | ratio | peak memory | goal |"
echo "|---|---|---|---|---|---|"
for group; do "rows_$group"; done
exit "$status"
