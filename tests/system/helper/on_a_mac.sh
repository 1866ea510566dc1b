#!/bin/sh
# What a person runs once on a real Mac to confirm what Linux cannot show. As root, from a clone with a release build:
#   sudo tests/system/helper/on_a_mac.sh build/release
# It touches only a burner that it starts itself, under the user 'nobody'. Send the output to the issue tracker.
set -eu
build=${1:?usage: sudo on_a_mac.sh BUILD_DIR}
[ "$(uname)" = Darwin ] || { echo "this is for macOS"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "run it with sudo"; exit 2; }
folder=$(mktemp -d /var/root/sentinel-test.XXXXXX)
helper= burner=
trap 'kill $helper $burner 2>/dev/null || true; rm -rf "$folder"' EXIT
sw_vers; uname -m; sysctl hw.tbfrequency kern.bootsessionuuid

cat >"$folder/helper.conf" <<POLICY
mode = act
client_uid = root
[allow burner]
uid = nobody
exe = /usr/bin/yes
descendant_of = $$
min_age = 1s
min_cpu = 50%
for = 1s
POLICY
chmod 600 "$folder/helper.conf"
"$build/sentinel-helper" --check-config "$folder/helper.conf"
"$build/sentinel-helper" --policy "$folder/helper.conf" --socket "$folder/s" --journal "$folder/journal" 2>"$folder/log" &
helper=$!
sudo -u nobody /usr/bin/yes >/dev/null &
burner=$!
sleep 4
echo "--- 1. measured share of one burner: expect about 1.0, and allowed (41 times too little: the timebase is wrong)"
"$build/sentinelctl" helper list --socket "$folder/s" || true
echo "--- 2. pinned signals: expect pinned=yes from macOS 14 on"
grep event=ready "$folder/log" || cat "$folder/log"
echo "--- 3. the sandbox: expect no line"
grep sandbox_failed "$folder/log" || true
echo "--- 4. CPU and memory of the helper itself: expect less than 1 % and 8 MB"
ps -o %cpu,rss,command -p "$helper"
echo "--- 5. the journal's chain"
kill "$helper"; wait "$helper" || true; helper=
"$build/sentinel-helper" --verify-journal "$folder/journal"
