# What every command in script/ shares. Sourced, never run.
# shellcheck shell=bash

set -euo pipefail
# shellcheck disable=SC2034 # for those who source this
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export PYTHONDONTWRITEBYTECODE=1
jobs=${USHER_JOBS:-$(nproc)}

die() { # MESSAGE...: one clear line, exit 1
    echo "${0##*/}: $*" >&2
    exit 1
}

usage_error() { # MESSAGE...: one clear line, exit 2
    echo "${0##*/}: $* (try --help)" >&2
    exit 2
}

# Prints the caller's own leading comment, which is its help.
help() {
    awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"
}

# meson_build DIR CC MESON_OPTIONS...: configures DIR (anew only when the options changed) and builds it.
# Quiet unless something is wrong: the tools' output is shown only when the build fails. With keep_going set, a file
# that does not compile does not keep the others from being compiled.
meson_build() {
    local dir=$1 cc=$2 wanted log
    shift 2
    wanted="$cc $* $root"
    log=$(mktemp)
    if [[ ! -f $dir/build.ninja || $(cat "$dir/script-options" 2>/dev/null) != "$wanted" ]]; then
        echo "configuring ${dir#"$root"/} with $cc"
        rm -rf "$dir"
        if ! CC=$cc meson setup "$dir" "$@" >"$log" 2>&1; then
            cat "$log" >&2
            rm -f "$log"
            die "meson setup $dir failed"
        fi
        printf '%s' "$wanted" >"$dir/script-options"
    fi
    if ! ninja -C "$dir" -j "$jobs" ${keep_going:+-k 0} >"$log" 2>&1; then
        # What the compilers said, without their command lines; all of it when the build files themselves were wrong.
        sed -nE '/^FAILED:/,${/^(FAILED|\[|gcc |clang-14 |ninja: )/!p}' "$log" | grep . >&2 || cat "$log" >&2
        rm -f "$log"
        die "building $dir failed"
    fi
    rm -f "$log"
}
