#!/usr/bin/env bash
# secrets.sh - makes the secrets of docker-compose.yml; those that are there already stay.
#
# The folder is its owner's alone. The files in it can be read by all who get that far, because the containers read
# them as users of their own (65534 and 472).
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)/secrets
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
for name in grafana_admin_password sentinel_token; do
    file=$folder/$name
    if [ -s "$file" ]; then
        echo "$file is there already"
        continue
    fi
    openssl rand -hex 24 >"$file.new"
    chmod 644 "$file.new"
    mv "$file.new" "$file"
    echo "made $file"
done
