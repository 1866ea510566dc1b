#!/usr/bin/env bash
# loop.sh - the whole loop on real input: Prometheus, node_exporter, helper, server and processes that really end.
#
#   loop.sh list
#   loop.sh run SCENARIO        0: passed; anything else: what went wrong stands at the end of the output
#
# Server and helper are the ones with sanitizers (build/dev); the load is build/dev/chaos-load as well. The helper's
# policy allows one program, run by the drill's own user, below this very script: nothing else on the machine can be
# ended by it. Wants an idle host: other load is an anomaly too.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${SENTINEL_BUILD:-$root/build/dev}
export SENTINEL_BUILD=$build
readonly server_port=29201 prometheus_port=29090 exporter_port=29100
readonly server=http://127.0.0.1:$server_port host=localhost:$exporter_port
pids=() work='' trusted='' server_pid=''

scenarios="quickstart failsafe forest both_switched_off observe kill_9_during_heal complaints"

die() {
    echo "FAILED: $*" >&2
    [ -z "$work" ] || for log in "$work"/*.log; do
        [ -s "$log" ] && echo "--- $(basename "$log")" >&2 && tail -n 15 "$log" >&2
    done
    exit 1
}

cleanup() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[$i]}" 2>/dev/null || continue
        wait "${pids[$i]}" 2>/dev/null || true
    done
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$trusted" ] || rm -rf "$trusted"
}

start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >>"$work/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

until_true() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 1
    done
}

answers() { curl -fsS -o /dev/null --max-time 1 "$1"; }
ctl() {
    local command=$1
    shift
    "$build/sentinelctl" "$command" "--server=$server" "$@"
}

make_folders() {
    local port
    for port in $server_port $prometheus_port $exporter_port; do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || die "port $port is in use: another run of these tests?"
    done
    work=$(mktemp -d)
    if [ "$(id -u)" = 0 ]; then
        trusted=$(mktemp -d /run/sentinel-test.XXXXXX)
        drill_user=60983
    else
        trusted=$(mktemp -d "$HOME/.sentinel-test.XXXXXX")
        drill_user=$(id -u)
    fi
    chmod 755 "$trusted"
    chmod 711 "$work"
}

start_server() {
    start sentineld "$build/sentineld" --config.file "$work/sentinel.yml" --web.listen-address "127.0.0.1:$server_port" \
        --storage.path "$work/sentinel.db"
    server_pid=${pids[${#pids[@]} - 1]}
    until_true 20 answers "$server/-/ready" || die "sentineld is not ready"
}

start_helper() {
    start helper "$build/sentinel-helper" --policy "$trusted/helper.conf" --socket "$trusted/helper.sock" \
        --journal "$trusted/journal"
}

# start_stack MODE RULES: rules as YAML, or "" for the default ones.
start_stack() {
    make_folders
    cat >"$trusted/helper.conf" <<CONF
mode = act
client_uid = $(id -u)
grace = 3s
sample_interval = 250ms
[allow drill]
uid = $drill_user
exe = "$build/chaos-load"
descendant_of = $$
min_age = 1s
min_cpu = 40%
for = 500ms
cooldown = 0s
rungs = terminate
CONF
    printf 'mode: %s\ndecide:\n  cooldown: 5s\n%s\nact:\n  helpers:\n    - {host: "%s", socket: %s}\n' "$1" "$2" "$host" \
        "$trusted/helper.sock" >"$work/sentinel.yml"
    sed -e "s|localhost:9100|$host|" -e "s|127.0.0.1:9201|127.0.0.1:$server_port|" \
        -e "s|localhost:9201|localhost:$server_port|" -e "s|deploy/prometheus|$root/deploy/prometheus|" \
        "$root/prometheus.yml" >"$work/prometheus.yml"
    start_helper
    start_server
    start node_exporter "$(command -v prometheus-node-exporter || command -v node_exporter)" \
        --web.listen-address "127.0.0.1:$exporter_port"
    start prometheus prometheus --config.file "$work/prometheus.yml" --storage.tsdb.path "$work/prometheus" \
        --web.listen-address "127.0.0.1:$prometheus_port"
}

host_state() { ctl status --format=csv --columns=host,state | awk -F, -v host="$host" '$1 == host { print $2 }'; }
is_in_state() { [ "$(host_state)" = "$1" ]; }
wait_for_healthy() { until_true 240 is_in_state HEALTHY || die "the host is $(host_state), not HEALTHY after four minutes: is it idle?"; }

drill() { # SCENARIO: prints what chaos.sh says; its verdict line must be PASS
    "$root/chaos.sh" run "$1" --duration 60s --server "$server" --host "$host" | tee "$work/drill.log"
    grep -q "^PASS $1" "$work/drill.log" || die "no PASS from chaos.sh"
}

query() { sqlite3 -readonly "$work/sentinel.db" "$1"; }
expect() { # WHAT WANTED GOT
    [ "$2" = "$3" ] || die "$1: wanted '$2', got '$3'"
    echo "$1: $3"
}

readonly only_failsafe='  rules:
    - {name: cpu-failsafe, trigger: failsafe, feature: cpu_busy, above: 0.90, points: 3, do: [terminate]}
    - {name: cpu-forest, enabled: false, trigger: forest, points: 3, of: 5, leading: [cpu_busy], do: [terminate]}'
readonly only_forest='  rules:
    - {name: cpu-failsafe, enabled: false, trigger: failsafe, feature: cpu_busy, above: 0.90, points: 3, do: [terminate]}
    - {name: cpu-forest, trigger: forest, points: 3, of: 5, leading: [cpu_busy, cpu_kernel, pressure_cpu, processes_running], do: [terminate]}'
readonly nothing_on='  rules:
    - {name: cpu-failsafe, enabled: false, trigger: failsafe, feature: cpu_busy, above: 0.90, points: 3, do: [terminate]}'

# What is on record about the one incident of a drill that healed.
check_record() { # TRIGGER
    expect 'states in the archive' 'SUSPECTED OPEN REMEDIATING VERIFYING RESOLVED' \
        "$(query "select group_concat(to_state, ' ') from (select to_state from transitions order by sequence)")"
    expect 'trigger in the archive' "$1" "$(query 'select trigger from incidents')"
    expect 'deeds in the archive' 'terminate terminated chaos-load' \
        "$(query "select kind || ' ' || outcome || ' ' || target_comm from actions")"
    [ -n "$(query "select why from incidents where why like '%cpu_busy%'")" ] || die "the record does not say why"
}

check_metrics() { # TRIGGER
    curl -fsS "$server/metrics" >"$work/metrics.txt"
    promtool check metrics <"$work/metrics.txt" || die "promtool does not like /metrics"
    grep -q "^sentinel_incidents_total{host=\"$host\",trigger=\"$1\"} 1\$" "$work/metrics.txt" || die "the incident is not counted"
    grep -q "^sentinel_actions_total{host=\"$host\",action=\"terminate\",outcome=\"terminated\"} 1\$" "$work/metrics.txt" ||
        die "the deed is not counted"
    until_true 10 scraped "sum(sentinel_actions_total{outcome=\"terminated\"})" || die "Prometheus has not scraped it"
}

scraped() { # PROMQL: its value is not 0
    curl -fsS "http://127.0.0.1:$prometheus_port/api/v1/query" --data-urlencode "query=$1" |
        grep -qE '"value":\[[0-9.]+,"[1-9][0-9.]*"\]'
}

scenario_failsafe() {
    start_stack act "$only_failsafe"
    wait_for_healthy
    drill cpu-spike
    check_record failsafe
    check_metrics failsafe
}

scenario_forest() {
    start_stack act "$only_forest"
    wait_for_healthy
    drill cpu-spike
    check_record forest
    check_metrics forest
}

# start_burner: a load of our own, without chaos.sh around it. Its first line is the pid that can be ended.
start_burner() { # KIND...
    start burner "$build/chaos-load" "$@" --user "$drill_user"
    until_true 5 test -s "$work/burner.log" || die "the burner does not start"
    burner=${pids[${#pids[@]} - 1]}
}
lives() { kill -0 "$1" 2>/dev/null; }

scenario_both_switched_off() {
    start_stack act "$nothing_on"
    wait_for_healthy
    start_burner cpu --seconds 15
    sleep 12
    lives "$burner" || die "the burner is gone although no rule is on"
    expect 'incidents in the archive' 0 "$(query 'select count(*) from incidents')"
    is_in_state ANOMALY || die "the host burns and is $(host_state)"
}

scenario_observe() {
    start_stack observe ''
    wait_for_healthy
    drill cpu-spike
    expect 'outcome in the archive' would "$(query 'select distinct outcome from actions')"
}

# The load is deaf to TERM, so there are three seconds between TERM and KILL in which to lose the server.
scenario_kill_9_during_heal() {
    start_stack act "$only_failsafe"
    wait_for_healthy
    start_burner stubborn --seconds 60
    until_true 30 remediating || die "no deed within 30 s"
    kill -9 "$server_pid"
    wait "$server_pid" 2>/dev/null || true
    expect 'state when the server was killed' REMEDIATING "$(query 'select state from incidents')"
    start_server
    until_true 90 resolved || die "the incident is $(query 'select state from incidents'), not RESOLVED"
    ! lives "$burner" || die "the burner lives"
    expect 'incidents' 1 "$(query 'select count(*) from incidents')"
    expect 'deeds' 'terminate killed' "$(query "select kind || ' ' || outcome from actions")"
    expect 'deeds in the journal' 1 "$(deeds_in_journal)"
}
remediating() { [ "$(query 'select state from incidents')" = REMEDIATING ]; }
resolved() { [ "$(query 'select state from incidents')" = RESOLVED ]; }
deeds_in_journal() { grep -cE '^[0-9]+ [^ ]+ begin ' "$trusted/journal"; }

# Each mistake is one clear line and the right exit code.
complains() { # CODE TEXT COMMAND...
    local code=$1 text=$2 got=0
    shift 2
    timeout 20 "$@" >"$work/complaint.log" 2>&1 </dev/null || got=$?
    grep -qF -- "$text" "$work/complaint.log" || die "no '$text' in: $(cat "$work/complaint.log")"
    [ "$got" = "$code" ] || die "exit $got instead of $code: $(cat "$work/complaint.log")"
    echo "ok: $(head -n 1 "$work/complaint.log")"
}

scenario_complaints() {
    make_folders
    printf 'mode: act\nobserve:\n  max_bdy: 1MiB\n' >"$work/typo.yml"
    complains 2 "typo.yml:3: unknown key 'max_bdy' in observe: did you mean 'max_body'?" \
        "$build/sentineld" --config.file "$work/typo.yml"
    complains 2 "did you mean '--storage.path'?" "$build/sentineld" --storage.pth=x
    complains 1 "$work/none/sentinel.db" "$build/sentineld" --storage.path "$work/none/sentinel.db" \
        --web.listen-address "127.0.0.1:$server_port"
    complains 2 '--web.insecure-listen' "$build/sentineld" --storage.path "$work/other.db" --web.listen-address "0.0.0.0:$server_port"
    printf 'act:\n  helpers:\n    - {host: "%s", socket: %s}\n' "$host" "$trusted/helper.sock" >"$work/sentinel.yml"
    start_server
    complains 1 'is in use' "$build/sentineld" --storage.path "$work/other.db" --web.listen-address "127.0.0.1:$server_port"
    until_true 10 grep -q helper_unreachable "$work/sentineld.log" || die "a missing helper is not complained about"
    complains 1 "$trusted/helper.sock" "$build/sentinelctl" check "--server=$server"
    cp "$work/typo.yml" "$work/sentinel.yml"
    kill -HUP "$server_pid"
    until_true 10 reload_failed || die "a refused reload is not in /metrics"
    kill -TERM "$server_pid"
    wait "$server_pid" || die "sentineld does not exit 0 on SIGTERM"
}
reload_failed() { curl -fsS "$server/metrics" | grep -qx 'sentinel_config_last_reload_successful 0'; }

# The first command of the README, the drill, and Ctrl-C.
scenario_quickstart() {
    make_folders
    export SENTINEL_PORT=$server_port SENTINEL_PROMETHEUS_PORT=$prometheus_port SENTINEL_EXPORTER_PORT=$exporter_port
    export SENTINEL_BUILD=$root/build/release
    rm -rf "$root/build/quickstart"
    local began=$SECONDS
    start quickstart "$root/deploy/quickstart.sh" --no-install --mode act
    local quickstart=${pids[0]}
    until_true 120 answers "http://127.0.0.1:$prometheus_port/-/ready" || die "the quickstart did not start"
    echo "started in $((SECONDS - began)) s"
    wait_for_healthy
    "$root/deploy/quickstart.sh" --check || die "--check found a hop that does not work"
    drill cpu-spike
    kill -TERM "$quickstart"
    wait "$quickstart" 2>/dev/null || true
    local port
    for port in $server_port $prometheus_port $exporter_port; do
        ! answers "http://127.0.0.1:$port/" || die "something still answers on port $port"
    done
    grep -q 'stopped what was started here' "$work/quickstart.log" || die "it does not say that it stopped"
}

case ${1:-} in
list) echo "$scenarios" ;;
run)
    case " $scenarios " in *" ${2:-} "*) ;; *) echo "loop.sh: no scenario '${2:-}'; there are: $scenarios" >&2 && exit 2 ;; esac
    trap cleanup EXIT
    trap 'exit 130' INT TERM
    "scenario_$2"
    echo "passed: $2"
    ;;
*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" && exit 2 ;;
esac
