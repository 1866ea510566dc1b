#!/usr/bin/env bash
# Alert rules are valid, behave as their tests say, and each has a runbook and a test in which it fires.
#   check_alerts.sh ROOT
set -euo pipefail
root=${1:?usage: check_alerts.sh ROOT}
rules=$root/deploy/prometheus/sentinel.rules.yml
tests=$root/deploy/prometheus/sentinel.rules.test.yml

bad=0
for alert in $(sed -nE 's/^ +- alert: ([A-Za-z]+)$/\1/p' "$rules"); do
    if [ ! -f "$root/docs/runbooks/$alert.md" ]; then
        echo "$alert has no page in docs/runbooks"
        bad=1
    fi
    if ! grep -q "runbook: docs/runbooks/$alert.md" "$tests"; then
        echo "$alert fires in no test of $tests"
        bad=1
    fi
done
if ! command -v promtool >/dev/null; then
    echo "promtool is not installed (apt-get install prometheus): rules were not run"
    exit 77
fi
promtool check rules "$rules"
promtool test rules "$tests"
exit "$bad"
