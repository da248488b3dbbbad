#!/bin/sh
# Runs all tests. Arguments go to "go test" (for example -race). As root on Debian it first installs the other tools
# that results are compared with; elsewhere it says what is missing, and the tests that need it skip.
set -u
cd "$(dirname "$0")/.." || exit 1

# What is compared with, as PROGRAM:PACKAGE of Debian.
peers="fusermount3:fuse3 ntfs-3g:ntfs-3g mkntfs:ntfs-3g vshadowmount:libvshadow-utils fls:sleuthkit qemu-img:qemu-utils vhdimount:libvhdi-utils qemu-system-x86_64:qemu-system-x86
	sfdisk:fdisk sgdisk:gdisk python3:python3 setfattr:attr fuser:psmisc rsync:rsync wimlib-imagex:wimtools strace:strace find:findutils
	ewfacquire:ewf-tools mkfs.ext4:e2fsprogs mkfs.fat:dosfstools mkfs.exfat:exfatprogs bsdtar:libarchive-tools unzip:unzip bgzip:tabix pigz:pigz
	zstd:zstd bzip2:bzip2 systemd-analyze:systemd node:nodejs npm:npm chromium:chromium rpm:rpm man:man-db
	smbd:samba smbclient:smbclient zsh:zsh fish:fish script:bsdutils curl:curl cadaver:cadaver rclone:rclone
	gio:libglib2.0-bin dbus-run-session:dbus-daemon nbdinfo:libnbd-bin nfs-ls:libnfs-utils dislocker-file:dislocker bdemount:libbde-utils
	wine:wine x86_64-w64-mingw32-ld:binutils-mingw-w64-x86-64"
duckdb=@duckdb/node-api@1.5.6-r.1 # of npm, which is kept in the folder that the tests of Parquet look into
browsing="playwright-core@1.65.1 axe-core@4.14.1" # likewise, of those of the page: what drives Chromium, and what looks for barriers
modules=${XDG_CACHE_HOME:-$HOME/.cache}/snapmount-peers
missing() {
	{
		for p in $peers; do
			PATH="$PATH:/usr/sbin:/sbin" command -v "${p%%:*}" >/dev/null 2>&1 || echo "${p##*:}"
		done
		[ -e /usr/share/bash-completion/bash_completion ] || echo bash-completion
		[ -e /usr/lib/gvfs/gvfsd-dav ] || [ -e /usr/libexec/gvfsd-dav ] || echo gvfs-backends
		{ python3 -c 'import samba' || /usr/bin/python3 -c 'import samba'; } 2>/dev/null || echo python3-samba
		[ -n "$(find /usr/lib*/*samba /usr/lib/*/samba /usr/local/*/samba -name streams_xattr.so 2>/dev/null)" ] || echo samba-vfs-modules
	} | sort -u | tr '\n' ' '
}
want=$(missing)
if [ -n "$want" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing what results are compared with: $want"
	install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
	{ apt-get update; install $want || for package in $want; do install "$package"; done; } >/tmp/snapmount-apt.log 2>&1 ||
		echo "not all could be installed: see /tmp/snapmount-apt.log"
	want=$(missing)
fi
if ! grep -qs "\"${duckdb##*@}\"" "$modules/node_modules/@duckdb/node-api/package.json" && command -v npm >/dev/null 2>&1; then
	echo "installing what Parquet is read with: $duckdb, in $modules"
	mkdir -p "$modules" && npm install --prefix "$modules" --no-save --ignore-scripts --no-audit --no-fund "$duckdb" >/tmp/snapmount-npm.log 2>&1 ||
		echo "NOT INSTALLED, tests against it are skipped: $duckdb (see /tmp/snapmount-npm.log)"
fi
if ! { [ -d "$modules/node_modules/playwright-core" ] && [ -d "$modules/node_modules/axe-core" ]; } && command -v npm >/dev/null 2>&1; then
	echo "installing what the page is tried with: $browsing, in $modules"
	mkdir -p "$modules" && npm install --prefix "$modules" --no-save --ignore-scripts --no-audit --no-fund $browsing "$duckdb" >/tmp/snapmount-npm.log 2>&1 ||
		echo "NOT INSTALLED, tests against it are skipped: $browsing (see /tmp/snapmount-npm.log)"
fi
[ -z "$want" ] || echo "NOT INSTALLED, tests against it are skipped: $want"
[ -w /dev/fuse ] || echo "NO FUSE (/dev/fuse cannot be opened): mount tests are skipped"
[ -d "${SNAPMOUNT_SHARED:-../shared}" ] || echo "NO REAL IMAGES (set SNAPMOUNT_SHARED): tests on them are skipped"

# The images that tests read must stay as they are: this tells of each its SHA-256, or its size and time where that would
# take long (500 MB and more).
images() {
	{
		find -L testdata -name '*.qcow2'
		find -L "${SNAPMOUNT_SHARED:-../shared}/data" -type f
	} 2>/dev/null | sort | while read -r f; do
		if [ -n "$(find -L "$f" -size -1000000)" ]; then sha256sum "$f"; else ls -lnL "$f"; fi
	done
}

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
before=$(images)
PATH="$PATH:/usr/sbin:/sbin" go test -v -timeout 40m "$@" ./... >"$log" 2>&1
code=$?
if [ "$code" != 0 ]; then
	grep -avE '^(=== |[[:space:]]*--- (PASS|SKIP))' "$log" | tail -n 400
fi
after=$(images)
if [ -z "$before" ] || [ "$before" != "$after" ]; then
	echo "FAIL: images are not as they were before the tests:"
	printf '%s\n' "$before" "$after" | sort | uniq -u
	code=1
fi
grep -a 'SKIPPED' "$log" | sed 's/^ *//' | sort | uniq -c | sed 's/^ */skipped /'
grep -aE '^(ok|FAIL|\?)[[:space:]]' "$log"
# Last, so that a log that is cut still tells: which tests failed, and their first words.
grep -aE -B 12 '^[[:space:]]*--- FAIL' "$log" | grep -avE '^(=== |[[:space:]]*--- (PASS|SKIP))' | tail -n 120
grep -aE -A 8 '^(panic:|WARNING: DATA RACE)' "$log" | head -n 60
exit "$code"
