# Sourced by deploy/quickstart.sh and tests/run.sh: which packages they need, and installing what is missing.
# Debian 12 by apt, macOS by Homebrew; anything else is told what to install.

build_packages_apt="build-essential cmake ninja-build pkg-config git gzip curl ca-certificates protobuf-compiler
 protobuf-c-compiler libprotobuf-c-dev libh2o-evloop-dev libssl-dev zlib1g-dev libsnappy-dev libxxhash-dev
 libyaml-dev libjansson-dev libsqlite3-dev libcurl4-openssl-dev libseccomp-dev libcrypt-dev libcmocka-dev"
run_packages_apt="prometheus prometheus-node-exporter"
build_packages_brew="cmake ninja pkg-config protobuf protobuf-c h2o openssl@3 snappy xxhash libyaml jansson sqlite curl libxcrypt cmocka"
run_packages_brew="prometheus node_exporter"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# A package that brings a service starts it at once on Debian. Ours run on ports of their own, so the machine's
# services stay as they were: nothing is started, and what is new is not enabled for the next boot either.
apt_install_quietly() {
    local guard=/usr/sbin/policy-rc.d guarded='' unit
    local new_services=''
    for unit in prometheus prometheus-node-exporter prometheus-alertmanager; do
        case " $* " in *" $unit "*) new_services="$new_services $unit" ;; esac
    done
    if [ ! -e "$guard" ]; then
        guarded=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
    fi
    local result=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >"$apt_log" 2>&1 ||
        result=$?
    [ -z "$guarded" ] || as_root rm -f "$guard"
    if [ "$result" = 0 ] && [ -d /run/systemd/system ]; then
        for unit in $new_services; do as_root systemctl disable --now "$unit" >/dev/null 2>&1 || true; done
    fi
    return "$result"
}

install_packages_apt() {
    local package missing=''
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    printf 'installing:%s\n' "$missing"
    apt_log=$(mktemp)
    as_root apt-get update -qq </dev/null >"$apt_log" 2>&1 || true # an old list may still do
    # shellcheck disable=SC2086 # a list of words
    if ! apt_install_quietly $missing; then
        tail -n 20 "$apt_log" >&2
        printf 'the packages could not be installed; apt-get said the above\n' >&2
        return 1
    fi
    rm -f "$apt_log"
}

install_packages_brew() {
    local package missing=''
    for package in "$@"; do
        brew list --versions "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    printf 'installing:%s\n' "$missing"
    # shellcheck disable=SC2086 # a list of words
    brew install --quiet $missing
}

# install_packages GROUP...: build, run, or a list of apt packages in $extra_packages_apt for "extra".
install_packages() {
    local group list='' brew_list=''
    for group in "$@"; do
        case $group in
        build) list="$list $build_packages_apt" brew_list="$brew_list $build_packages_brew" ;;
        run) list="$list $run_packages_apt" brew_list="$brew_list $run_packages_brew" ;;
        extra) list="$list ${extra_packages_apt:-}" brew_list="$brew_list ${extra_packages_brew:-}" ;;
        esac
    done
    # shellcheck disable=SC2086 # lists of words
    if command -v apt-get >/dev/null 2>&1; then
        install_packages_apt $list
    elif command -v brew >/dev/null 2>&1; then
        install_packages_brew $brew_list
    else
        printf 'neither apt nor Homebrew is here. Install what these Debian packages hold, then say --no-install:\n%s\n' \
            "$list" >&2
        return 1
    fi
}
