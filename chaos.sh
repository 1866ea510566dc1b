#!/usr/bin/env bash
# chaos.sh - a fire drill: real trouble on this host, and a check of what Sentinel did about it.
#
#   ./chaos.sh list
#   ./chaos.sh run SCENARIO [--duration 60s] [--server http://127.0.0.1:9201] [--host NAME]
#
# Starts one load (build/release/chaos-load), follows the incident through the server's API, checks that exactly
# the process it started was dealt with, and ends with one line: PASS or FAIL, and why. Whatever ends this
# script, the load goes with it. Needs bash 3.2 (as on macOS) and the built programs, nothing else.
# SENTINEL_BUILD names another build folder.
set -euo pipefail
export LC_ALL=C # a number has a point in it, not a comma

root=$(cd "$(dirname "$0")" && pwd)
build=${SENTINEL_BUILD:-$root/build/release}
readonly drill_uid=60983 # nobody's: the quickstart's helper policy lets it be ended
# Seconds: to learn a baseline; to become healthy again; to say what became of a process that is gone.
readonly look_every=1 # looking costs processes, and the host is being judged by what it does
readonly learn_patience=300 settle_patience=120 answer_patience=15

scenario='' duration=60 server=http://127.0.0.1:9201 host=''
work='' load_pid='' started='' mode=''

# name | what it does | what is expected
scenarios() {
    cat <<'LIST'
cpu-spike|one thread per processor, busy at once|the burner is ended and the host is healthy again
cpu-creep|as cpu-spike, growing from nothing over half of the time|the burner is ended and the host is healthy again
stubborn|as cpu-spike, and deaf to SIGTERM|the burner is killed after its grace and the host is healthy again
respawner|a supervisor that starts its burner again|burners are ended, and nothing else is
memory-hog|memory that grows|it is noticed, and nothing of anyone else is ended
fork-storm|hundreds of short-lived busy processes|it is noticed, and nothing of anyone else is ended
io-thrash|writes, syncs and reads without a pause|nothing of anyone else is ended
innocent-compile|as busy as a build|nothing is ended
LIST
}

say() { printf '%s\n' "$*"; }
die() {
    printf 'chaos.sh: %s\n' "$*" >&2
    exit 2
}
verdict() { # PASS|FAIL text
    say "$1 $scenario: $2"
    [ "$1" = PASS ] && exit 0
    exit 1
}
ctl() {
    local command=$1
    shift
    "$build/sentinelctl" "$command" "--server=$server" ${1+"$@"}
}
minus() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; if (d < 0 && d + 0.05 > 0) d = 0; printf "%.1f", d }'; }

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
}

list() {
    scenarios | while IFS='|' read -r name does expect; do
        printf '%-17s %s; expected: %s\n' "$name" "$does" "$expect"
    done
}

seconds() { # 60s, 2m, 90
    case $1 in
    *[!0-9sm]* | '' | s | m | *[sm]?*) die "--duration '$1' is not a time such as 60s or 2m" ;;
    *m) echo $((${1%m} * 60)) ;;
    *) echo "${1%s}" ;;
    esac
}

parse() {
    local split
    scenario=${1:-}
    [ -n "$scenario" ] || die "which scenario? './chaos.sh list' names them"
    scenarios | cut -d'|' -f1 | grep -qxF -- "$scenario" ||
        die "no scenario '$scenario'; there are: $(scenarios | cut -d'|' -f1 | tr '\n' ' ')"
    shift
    while [ $# -gt 0 ]; do
        case $1 in --*=*) split=$1 && shift && set -- "${split%%=*}" "${split#*=}" ${1+"$@"} ;; esac
        [ $# -ge 2 ] || die "a value is missing after $1"
        case $1 in
        --duration) duration=$(seconds "$2") ;;
        --server) server=$2 ;;
        --host) host=$2 ;;
        *) die "unknown flag '$1'; there are --duration, --server and --host" ;;
        esac
        shift 2
    done
    [ "$duration" -ge 5 ] && [ "$duration" -le 600 ] || die "--duration must be between 5s and 10m"
    [ -x "$build/chaos-load" ] && [ -x "$build/sentinelctl" ] ||
        die "no programs in $build: cmake --preset release && cmake --build --preset release"
}

# --- the host, before ------------------------------------------------------------------------------------

choose_host() {
    local hosts
    hosts=$(ctl status --format=csv --columns=host | tail -n +2) ||
        die "no sentineld at $server; './deploy/quickstart.sh' starts one"
    if [ -n "$host" ]; then
        grep -qxF -- "$host" <<<"$hosts" || die "$server knows no host '$host'; it knows: $(tr '\n' ' ' <<<"$hosts")"
    elif [ "$(grep -c . <<<"$hosts")" -gt 1 ]; then
        die "$server knows several hosts; say which is this one: --host NAME, of: $(tr '\n' ' ' <<<"$hosts")"
    else
        host=$hosts
    fi
}

host_state() {
    ctl status --format=csv --columns=host,state,learning_points,learning_target |
        awk -F, -v host="$host" '$1 == host { print $2 ($2 == "LEARNING" ? " " $3 "/" $4 : "") }'
}

wait_for_healthy() {
    local state last='' until=$((SECONDS + learn_patience))
    while :; do
        [ -n "$host" ] || choose_host
        state=${host:+$(host_state)} || die "$server no longer answers"
        [ "$state" = "$last" ] || say "host ${host:-?} is ${state:-not there yet}"
        last=$state
        [ "$state" != HEALTHY ] || return 0
        [ $SECONDS -lt $until ] || verdict FAIL "the host was not HEALTHY within $learn_patience s (it is ${state:-not there})"
        sleep 0.5
    done
}

# --- the load --------------------------------------------------------------------------------------------

start_load() {
    local arguments
    case $scenario in
    cpu-spike) arguments='cpu' ;;
    cpu-creep) arguments="cpu --ramp $((duration / 2))" ;;
    memory-hog) arguments='memory --megabytes 1024' ;;
    fork-storm) arguments='fork-storm' ;;
    io-thrash) arguments='io' ;;
    innocent-compile) arguments='compile' ;;
    *) arguments=$scenario ;;
    esac
    [ "$(id -u)" != 0 ] || arguments="$arguments --user $drill_uid"
    # shellcheck disable=SC2086 # words on purpose
    "$build/chaos-load" $arguments --seconds "$duration" --die-with-parent >"$work/load" &
    load_pid=$!
    disown "$load_pid" # or bash reports its end in the middle of ours
    while ! grep -q '^started=' "$work/load"; do
        kill -0 "$load_pid" 2>/dev/null || verdict FAIL 'the load did not start'
        sleep 0.05
    done
    started=$(sed -n 's/^started=//p' "$work/load")
    say "started: chaos-load $arguments, pid $load_pid, for at most $duration s"
}

gone() { # a process that has ended and was not yet awaited is gone too
    ! kill -0 "$1" 2>/dev/null || ps -o stat= -p "$1" | grep -q '^Z'
}

# Every pid that the load has told us.
our_pids() {
    echo "$load_pid"
    sed -n 's/^burner pid=\([0-9]*\).*/\1/p' "$work/load"
}

cleanup() {
    local signal tries
    for signal in TERM KILL; do
        for tries in 1 2 3 4 5; do
            if [ -z "$load_pid" ] || gone "$load_pid"; then break 2; fi
            [ "$tries" != 1 ] || kill "-$signal" "$load_pid" 2>/dev/null || true
            sleep 0.1
        done
    done
    [ -z "$work" ] || rm -rf "$work"
}

# --- what Sentinel made of it ----------------------------------------------------------------------------

# Incidents of this host that were not there before, oldest first: id,state,opened,closed,host
new_incidents() {
    ctl incidents --limit=10000 --format=csv --epoch --columns=id,state,opened,closed,host |
        awk -F, -v host="$host" 'NR == FNR { known[$1] = 1; next }
            FNR > 1 && !($1 in known) && $5 == host { rows[++count] = $0 }
            END { while (count) print rows[count--] }' "$work/before" -
}

# Deeds of these incidents, oldest first: incident,outcome,target_pid,finished,target_comm,target_uid,reason
new_deeds() {
    ctl actions --limit=10000 --format=csv --epoch \
        --columns=incident,outcome,target_pid,finished,target_comm,target_uid,reason |
        awk -F, 'NR == FNR { new[$1] = 1; next }
            $1 in new { rows[++count] = $0 }
            END { while (count) print rows[count--] }' "$work/new" -
}

# Prints what has happened since the last call.
tell() {
    local id sequence to time why
    while IFS=, read -r id _; do
        ctl incident "$id" --format=csv --epoch --columns=sequence,to,time,why >"$work/steps"
        while IFS=, read -r sequence to time why; do
            [ "$sequence" != sequence ] || continue
            ! grep -qxF "$id $sequence" "$work/told" || continue
            echo "$id $sequence" >>"$work/told"
            case $why in '"'*) why=${why#?} why=${why%?} why=${why//'""'/'"'} ;; esac
            printf '%+7.1f s  %-11s %s\n' "$(minus "$time" "$started")" "$to" "$why"
        done <"$work/steps"
    done <"$work/new"
}

look() {
    new_incidents >"$work/new" || verdict FAIL "$server no longer answers"
    : >"$work/deeds"
    if [ -s "$work/new" ]; then
        new_deeds >"$work/deeds" || verdict FAIL "$server no longer answers"
    fi
    tell
}

# Outcomes that mean: a process was touched.
readonly touching='terminated|killed|done'

# Column $2 of the first deed whose outcome is one of $1 (a pattern of awk).
deed() { awk -F, -v wanted="^($1)\$" -v column="$2" '$2 ~ wanted { print $column; exit }' "$work/deeds"; }
# Column $2 of incident $1.
incident() { awk -F, -v id="$1" -v column="$2" '$1 == id { print $column }' "$work/new"; }
detected_in() { minus "$(awk -F, 'NR == 1 { print $3 }' "$work/new")" "$started"; }
deed_in() { minus "$(deed "$1" 4)" "$started"; }

# Fails at once if a process was touched that the drill did not start.
check_targets() {
    local outcome pid comm uid
    while IFS=, read -r _ outcome pid _ comm uid _; do
        case "|$touching|" in *"|$outcome|"*) ;; *) continue ;; esac
        our_pids | grep -qxF "$pid" || is_ours_by_kind "$comm" "$uid" ||
            verdict FAIL "pid $pid was ended, and the drill did not start it"
    done <"$work/deeds"
}

# Children of fork-storm and compile come and go too fast to be listed: their name and user must do.
is_ours_by_kind() {
    case $scenario in fork-storm | innocent-compile) ;; *) return 1 ;; esac
    [ "$1" = chaos-load ] && [ "$2" = "$([ "$(id -u)" != 0 ] && id -u || echo $drill_uid)" ]
}

check_nothing_touched() {
    local pid
    pid=$(deed "$touching" 3)
    [ -z "$pid" ] || verdict FAIL "pid $pid was ended"
}

# --- expectations ----------------------------------------------------------------------------------------

expect_heal() { # outcomes that count
    local until=$((SECONDS + duration + settle_patience)) pid='' ended='' id='' gone_since=''
    while [ $SECONDS -lt $until ]; do
        look
        check_targets
        pid=$(deed "$1" 3)
        if [ -n "$pid" ] && [ -z "$ended" ]; then
            gone "$pid" || verdict FAIL "the server says that pid $pid was ended, and it is still there"
            ended=$(deed_in "$1") id=$(deed "$1" 1)
        fi
        if [ -n "$ended" ] && [ "$(incident "$id" 2)" = RESOLVED ]; then
            verdict PASS "detected in $(detected_in) s, ended pid $pid in $ended s, healed in $(minus "$(incident "$id" 4)" "$started") s"
        fi
        if [ -z "$ended" ] && gone "$load_pid"; then
            gone_since=${gone_since:-$SECONDS}
            [ $SECONDS -lt $((gone_since + answer_patience)) ] || fail_untouched
        fi
        sleep "$look_every"
    done
    verdict FAIL "pid $pid was ended in $ended s, and the incident is $(incident "$id" 2), not RESOLVED"
}

# The load is over and nobody claims to have ended it: say how far Sentinel came.
fail_untouched() {
    local last
    look
    [ -s "$work/new" ] || verdict FAIL "no incident in the $duration s that the load ran"
    last=$(tail -n 1 "$work/deeds" | cut -d, -f2,7- | sed 's/,/: /')
    verdict FAIL "an incident; what was done: ${last:-nothing} (sentinelctl incident $(tail -n 1 "$work/new" | cut -c1-8))"
}

# In observe mode nothing may be touched, and the same target must have been chosen.
expect_would() {
    local pid
    while ! gone "$load_pid"; do
        look
        check_nothing_touched
        pid=$(deed would 3)
        if [ -n "$pid" ]; then
            our_pids | grep -qxF "$pid" || verdict FAIL "pid $pid would have been ended, and the drill did not start it"
            ! gone "$load_pid" || verdict FAIL 'the load ended although the mode is observe'
            verdict PASS "detected in $(detected_in) s, would have ended pid $pid in $(deed_in would) s (mode observe)"
        fi
        sleep "$look_every"
    done
    fail_untouched
}

# Until the load comes to its own end.
watch_with() { # check
    while ! gone "$load_pid"; do
        look
        "$1"
        sleep "$look_every"
    done
    look
    "$1"
}

expect_nothing_touched() {
    watch_with check_nothing_touched
    grep -q '^done$' "$work/load" || verdict FAIL 'the load did not come to its own end'
    verdict PASS "ran $duration s, and nothing was ended$([ ! -s "$work/new" ] || echo "; an incident was recorded in $(detected_in) s")"
}

expect_only_ours() { # noticed|any
    watch_with check_targets
    if [ "$1" = noticed ] && [ ! -s "$work/new" ]; then
        verdict FAIL "no incident in the $duration s that the load ran"
    fi
    verdict PASS "$([ -s "$work/new" ] && echo "detected in $(detected_in) s" || echo 'not noticed'), processes touched: $(touched) of the drill, none of anyone else"
}

touched() { awk -F, -v wanted="^($touching)\$" '$2 ~ wanted { count++ } END { print count + 0 }' "$work/deeds"; }

expect_burners_ended() {
    watch_with check_targets
    [ "$(touched)" -gt 0 ] || fail_untouched
    verdict PASS "detected in $(detected_in) s, ended the first burner in $(deed_in "$touching") s; of $(grep -c '^burner' "$work/load") burners $(touched) were ended, and nothing else"
}

run() {
    parse "$@"
    work=$(mktemp -d "${TMPDIR:-/tmp}/sentinel-chaos.XXXXXX")
    touch "$work/told" "$work/load"
    trap cleanup EXIT
    trap 'exit 130' INT TERM HUP
    mode=$(ctl mode) || die "no sentineld at $server; './deploy/quickstart.sh' starts one"
    say "scenario $scenario, mode $mode"
    wait_for_healthy
    ctl incidents --limit=10000 --format=csv --columns=id >"$work/before"
    start_load
    case $scenario,${mode%%:*} in
    innocent-compile,*) expect_nothing_touched ;;
    cpu-spike,act | cpu-creep,act) expect_heal 'terminated|killed' ;;
    stubborn,act) expect_heal 'killed' ;;
    respawner,act) expect_burners_ended ;;
    cpu-*,* | stubborn,* | respawner,*) expect_would ;;
    io-thrash,*) expect_only_ours any ;;
    *) expect_only_ours noticed ;;
    esac
}

case ${1:-} in
list) list ;;
run) shift && run ${1+"$@"} ;;
'' | -h | --help | help) usage ;;
*) die "unknown command '$1'; there are list and run (./chaos.sh --help)" ;;
esac
