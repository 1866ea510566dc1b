#!/usr/bin/env bash
# quickstart.sh - Sentinel on this machine, from nothing: installs, builds, starts, and stops what it started.
#
#   ./deploy/quickstart.sh [--mode act|observe] [--no-install]    start; Ctrl-C stops
#   ./deploy/quickstart.sh --check                                test every hop of a running one
#
# Starts node_exporter, Prometheus, sentinel-helper and sentineld on loopback, on ports and in a folder of their
# own (build/quickstart). Nothing that is already running is touched, and Docker is not needed.
#
#   --mode act      (default) the runaway process is ended. The helper's policy, written by this script, lets it
#                   touch nothing but build/release/chaos-load, the program that ./chaos.sh makes trouble with,
#                   run by the drill's own user.
#   --mode observe  every step is walked but the last: what would have been done is recorded and shown.
#
# SENTINEL_PORT, SENTINEL_PROMETHEUS_PORT and SENTINEL_EXPORTER_PORT name other ports (9201, 19090, 19100).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

mode=act install=yes check=''
server_port=${SENTINEL_PORT:-9201} prometheus_port=${SENTINEL_PROMETHEUS_PORT:-19090}
exporter_port=${SENTINEL_EXPORTER_PORT:-19100}
build=$root/build/release
run=$root/build/quickstart
readonly drill_uid=60983 # as in chaos.sh: nobody's
pids=() # what we started, in order

die() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --mode=*) mode=${1#*=} ;;
        --mode) mode=${2:-} && shift ;;
        --no-install) install='' ;;
        --check) check=yes ;;
        -h | --help) usage && exit 0 ;;
        *) die "unknown flag '$1' (--help names them)" ;;
        esac
        shift
    done
    case $mode in act | observe) ;; *) die "--mode must be act or observe, not '$mode'" ;; esac
}

# The last one first, so that Prometheus can still deliver. One that does not end in ten seconds is made to.
stop_everything() {
    local i pid tries
    trap '' INT TERM
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        pid=${pids[$i]}
        kill -TERM "$pid" 2>/dev/null || continue
        tries=0
        while kill -0 "$pid" 2>/dev/null; do
            tries=$((tries + 1))
            [ "$tries" -lt 100 ] || kill -KILL "$pid" 2>/dev/null || true
            sleep 0.1
        done
        wait "$pid" 2>/dev/null || true
    done
    [ "${#pids[@]}" = 0 ] || echo "stopped what was started here"
}

# start NAME COMMAND...: in the background, its output to build/quickstart/NAME.log
start() {
    local name=$1
    shift
    "$@" >"$run/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

# wait_for NAME PID URL: until it answers; if it ends instead, its last words are shown.
wait_for() {
    local name=$1 pid=$2 url=$3 tries=0
    until curl -fsS -o /dev/null --max-time 1 "$url" 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || {
            tail -n 5 "$run/$name.log" >&2
            die "$name ended; its log is $run/$name.log"
        }
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || die "$name does not answer at $url; its log is $run/$name.log"
        sleep 0.1
    done
}

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The helper believes a policy only if nobody but its owner could have written it, down to the root folder. A clone
# may lie anywhere, so the policy does not lie in it.
choose_trusted_folder() {
    if [ "$(id -u)" = 0 ]; then
        trusted=/run/sentinel-quickstart
        [ -d /run ] || trusted=/var/run/sentinel-quickstart
        drill_user=$drill_uid
    else
        trusted=${XDG_STATE_HOME:-$HOME/.local/state}/sentinel-quickstart
        drill_user=$(id -u)
    fi
    mkdir -p "$trusted"
    chmod 755 "$trusted"
}

write_settings() {
    mkdir -p "$run"
    (
        umask 022
        cat >"$trusted/helper.conf" <<CONF
# Written by quickstart.sh. Only the drill's own load program, run by the drill's own user, may be touched.
mode = $mode
client_uid = $(id -u)
grace = 3s
sample_interval = 250ms
[budget]
per_minute = 20
per_hour = 200
per_day = 500
breaker_deeds = 60
breaker_window = 10m
[allow drill]
uid = $drill_user
exe = "$build/chaos-load"
min_age = 1s
min_cpu = 40%
for = 500ms
cooldown = 0s
rungs = terminate freeze
CONF
    )
    cat >"$run/sentinel.yml" <<CONF
# Written by quickstart.sh; './build/release/sentineld --print-config' shows every setting.
mode: $mode
decide:
  cooldown: 10s
act:
  helpers:
    - {host: "localhost:$exporter_port", socket: $trusted/helper.sock}
CONF
    "$build/sentinel-helper" --check-config "$trusted/helper.conf" >"$run/helper-policy.txt" ||
        die "the helper does not accept the policy that was written for it"
    sed -e "s|localhost:9100|localhost:$exporter_port|" -e "s|localhost:9201|localhost:$server_port|" \
        -e "s|127.0.0.1:9201|127.0.0.1:$server_port|" \
        -e "s|deploy/prometheus|$root/deploy/prometheus|" "$root/prometheus.yml" >"$run/prometheus.yml"
}

find_program() { # the first of the names that is installed
    local name
    for name in "$@"; do command -v "$name" && return; done
    die "no $1 here: run without --no-install"
}

start_everything() {
    local exporter prometheus port
    exporter=$(find_program prometheus-node-exporter node_exporter)
    prometheus=$(find_program prometheus)
    for port in $server_port $prometheus_port $exporter_port; do
        port_is_free "$port" || die "port $port is in use; is another quickstart running? --help says how to use other ports"
    done
    trap stop_everything EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    rm -f "$trusted/helper.sock"
    start helper "$build/sentinel-helper" --policy "$trusted/helper.conf" --socket "$trusted/helper.sock" \
        --journal "$trusted/journal"
    start sentineld "$build/sentineld" --config.file "$run/sentinel.yml" --web.listen-address "127.0.0.1:$server_port" \
        --storage.path "$run/sentinel.db"
    wait_for sentineld "${pids[1]}" "http://127.0.0.1:$server_port/-/ready"
    start node_exporter "$exporter" --web.listen-address "127.0.0.1:$exporter_port"
    start prometheus "$prometheus" --config.file "$run/prometheus.yml" --storage.tsdb.path "$run/prometheus" \
        --storage.tsdb.retention.time 1d --web.listen-address "127.0.0.1:$prometheus_port"
    wait_for prometheus "${pids[3]}" "http://127.0.0.1:$prometheus_port/-/ready"
}

# Until one of them ends: half a Sentinel is none. (bash 3.2 has no `wait -n`.)
watch_over() {
    local pid
    while :; do
        for pid in "${pids[@]}"; do
            kill -0 "$pid" 2>/dev/null || die "one of the programs has ended; see the logs in $run"
        done
        sleep 1 &
        wait $! || true
    done
}

explain() {
    cat <<TEXT

Sentinel is running; all of it on loopback.

  page         http://127.0.0.1:$server_port/
  Prometheus   http://127.0.0.1:$prometheus_port/
  logs, data   $run

TEXT
    if [ "$mode" = act ]; then
        cat <<TEXT
Mode act: a runaway process is ended, if the helper's policy allows it. That policy ($trusted/helper.conf)
allows one program only, $build/chaos-load, run by uid $drill_user. (--mode observe would end nothing.)
TEXT
    else
        cat <<TEXT
Mode observe: nothing is ended; what would have been done is recorded and shown. (--mode act would end
$build/chaos-load run by uid $drill_user, and nothing else.)
TEXT
    fi
    cat <<TEXT

The host learns for about 30 s. Then, in another terminal:

  ./chaos.sh run cpu-spike          a runaway process, and what becomes of it
  ./deploy/quickstart.sh --check    every hop, from the exporter to the database

Ctrl-C stops everything that was started here.
TEXT
}

main() {
    parse "$@"
    choose_trusted_folder
    if [ -n "$check" ]; then
        exec "$build/sentinelctl" check --server "http://127.0.0.1:$server_port" \
            --prometheus.url "http://127.0.0.1:$prometheus_port"
    fi
    [ -z "$install" ] || install_packages build run
    echo "building (the first time takes a minute)"
    (cd "$root" && { [ -f "$build/build.ninja" ] || cmake --preset release >/dev/null; } &&
        cmake --build --preset release --target sentineld sentinel-helper sentinelctl chaos-load) |
        { grep -E 'error|warning|FAILED' || true; }
    write_settings
    start_everything
    explain
    watch_over
}
main "$@"
