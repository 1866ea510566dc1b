#!/usr/bin/env bash
# docker-compose.yml mounts what is there, with pinned images and on loopback only; the Prometheus in it is configured
# as the one outside.
#   check_containers.sh ROOT
set -euo pipefail
root=${1:?usage: check_containers.sh ROOT}
compose=$root/docker-compose.yml
inside=$root/deploy/docker/prometheus.yml

bad=0
complain() {
    echo "$*"
    bad=1
}

mounts=$(sed -nE 's|^ +- \./([^:]+):/.*|\1|p' "$compose")
[ -n "$mounts" ] || complain "no mounted file was found in docker-compose.yml: this check no longer reads it"
for path in $mounts; do
    [ -e "$root/$path" ] || complain "docker-compose.yml mounts $path, which is not there"
done
for secret in $(sed -nE 's|^ +file: \./deploy/docker/secrets/(.+)|\1|p' "$compose"); do
    grep -q "\<$secret\>" "$root/deploy/docker/secrets.sh" || complain "deploy/docker/secrets.sh does not make $secret"
done
for image in $(sed -nE 's|^ +image: *||p' "$compose"); do
    [[ $image =~ :v?[0-9]+\.[0-9]+\.[0-9]+(@|$) ]] || complain "$image: say the exact version, as in :v3.5.1"
done
for port in $(sed -nE '/^ +ports:/,/^ +[a-z_]+:$/s|^ +- *"?([^"]*)"?$|\1|p' "$compose"); do
    [[ $port == 127.0.0.1:* ]] || complain "$port is published beyond 127.0.0.1"
done

# What must differ is made equal; then nothing may differ.
common() {
    sed -E -e 's/(^| +)#.*//' -e '/^ +authorization: /d' -e '/^ +labels: \{instance: /d' \
        -e 's/(host\.docker\.internal|localhost|127\.0\.0\.1):/HOST:/' -e 's|[a-z./]*/prometheus/|prometheus/|' "$1" |
        grep -v '^ *$'
}
diff -u --label prometheus.yml --label deploy/docker/prometheus.yml <(common "$root/prometheus.yml") <(common "$inside") ||
    complain "the two configurations of Prometheus have drifted apart: change both, or this check"

if ! command -v promtool >/dev/null; then
    echo "promtool is not installed (apt-get install prometheus): deploy/docker/prometheus.yml was not read by it"
    [ "$bad" = 1 ] || exit 77
    exit 1
fi
like_container=$(mktemp -d)
trap 'rm -rf "$like_container"' EXIT
mkdir "$like_container/docker"
cp -r "$root/deploy/prometheus" "$like_container/prometheus"
echo a-token-for-the-check >"$like_container/token"
sed "s|/run/secrets/sentinel_token|$like_container/token|" "$inside" >"$like_container/docker/prometheus.yml"
promtool check config "$like_container/docker/prometheus.yml" || bad=1
exit "$bad"
