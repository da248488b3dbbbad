#!/bin/bash
# Reads IMAGE through a mount by 24 readers at once, for SECONDS (default 600), compares what they read with
# IMAGE.sha256 as testdata/make wrote it (eight, many, wide), and prints what was read, errors, and the memory of the
# mount at each quarter. Ends with 1 on an error. Linux only; needs root or fusermount3.
set -eu
image=$(realpath "$1")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
CGO_ENABLED=0 go build -o "$work/snapmount" ./cmd/snapmount
go build -o "$work/endure" ./testdata/bench/endure
"$work/snapmount" --log "$work/log" "$image" "$work/mnt" >/dev/null &
pid=$!
trap 'kill "$pid" 2>/dev/null; wait "$pid"; rm -rf "$work"' EXIT
until ls -d "$work"/mnt/p0-* >/dev/null 2>&1; do
	kill -0 "$pid"
	sleep 0.1
done
"$work/endure" "$image.sha256" "$work"/mnt/p0-* "$pid" "${2:-600}"
