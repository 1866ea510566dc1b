#!/usr/bin/env bash
# The page in a real Chromium.
#   run.sh [PAGE_SERVER]     default: build/dev/tests/page_server
# Needs node 18 or later and chromium; the two packages of package-lock.json are fetched on the first run.
# With PICTURES=1 it also writes pictures/*.png of every view, to be looked at.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PAGE_SERVER=${1:-$root/build/dev/tests/page_server}
export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}

[ -x "$PAGE_SERVER" ] || { echo "$PAGE_SERVER is not there: build the dev preset first, or name another one" >&2; exit 1; }
[ -n "$CHROMIUM" ] || { echo "no chromium found: apt-get install chromium, or set CHROMIUM to one" >&2; exit 1; }
command -v node >/dev/null || { echo "no node found: apt-get install nodejs npm" >&2; exit 1; }
cd "$here"
if ! cmp -s package-lock.json node_modules/.package-lock.stamp; then
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.package-lock.stamp
fi
exec timeout 1200 node --test --test-concurrency=1 page.test.mjs
