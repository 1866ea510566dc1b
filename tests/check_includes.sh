#!/usr/bin/env bash
# Arrows point one way: a room may include the rooms before it and base, never a later one.
#   check_includes.sh SRC_DIR
set -euo pipefail
src=${1:?usage: check_includes.sh SRC_DIR}

# room: the rooms it may include besides itself
declare -A may=(
    [base]=""
    [observe]="base"
    [orient]="base observe"
    [decide]="base observe orient"
    [act]="base observe orient decide"
    [archive]="base observe orient decide"
    [present]="base observe orient decide archive"
    [helper]="base"
    [chaos]="base"
    [sentinelctl]="base observe orient decide act archive"
    [sentineld]="base observe orient decide act archive present"
)
bad=0
while IFS=: read -r file line text; do
    room=${file#"$src"/}
    room=${room%%/*}
    target=$(sed -E 's/.*"([a-z_]+)\/.*/\1/' <<<"$text")
    if [ -z "${may[$room]+known}" ]; then
        echo "$file:$line: '$room' is not a room; add it to $0 with the rooms it may include"
        bad=1
        continue
    fi
    [ "$target" = "$room" ] && continue
    case "$file:$text" in
    # The one file that both sides of the helper's socket share.
    */act/helper_client.[ch]:*'"helper/helper_protocol.h"'* | */sentinelctl/*:*'"helper/helper_protocol.h"'*) continue ;;
    # Generated at build time.
    *'"proto/'*) [ "$room" = observe ] && continue ;;
    esac
    if [[ " ${may[$room]} " != *" $target "* ]]; then
        echo "$file:$line: $room must not include $target: $text"
        bad=1
    fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"[a-z_]+/' "$src" --include='*.[ch]')
[ "$bad" = 0 ] && echo "includes: every arrow points forward"
exit "$bad"
