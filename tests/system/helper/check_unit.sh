#!/usr/bin/env bash
# The helper's unit stays as confined as it is: systemd's own score, at most 1.0 (lower is better).
set -euo pipefail
cd "$(dirname "$0")/../../.."
if ! command -v systemd-analyze >/dev/null; then
    echo "skipped: systemd-analyze is not installed"
    exit 77
fi
score=$(systemd-analyze security --offline=true --no-pager deploy/systemd/sentinel-helper.service |
    sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
echo "sentinel-helper.service: exposure $score, allowed 1.0"
awk -v score="$score" 'BEGIN { exit !(score != "" && score <= 1.0) }'
