# What every part of `fetch` uses: messages, tools, stamps and the list.
# shellcheck shell=bash disable=SC2154 # only and cache: fetch sets them

RECIPE=1                            # raise it to rebuild everything in every cache
pyenv=${PYENV_ROOT:-$HOME/.pyenv}
missing=()                          # "LABEL: why", one for each that could not be had
left_out=()                         # labels that --only does not name
why=''                              # the last word of a recipe that failed

open_cache() {                      # sets cache, log, tmp, codename; waits for another fetch to end
    if ! mkdir -p "$cache" || ! cache=$(cd "$cache" && pwd); then exit 2; fi
    exec 9>"$cache/.lock"
    flock -n 9 || { note "waiting for another fetch into $cache"; flock 9; }
    log=$cache/fetch.log
    tmp=$(mktemp -d "$cache/tmp.XXXXXX") || exit 2
    trap 'rm -rf "$tmp"' EXIT
    : >"$tmp/list"
    codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
}

note() { echo "[interpreters] $*" >&2; }

fail() { why=$*; return 1; }

wanted() {                          # wanted LABEL: does --only name it?
    local globs glob
    IFS=, read -ra globs <<<"$only"
    for glob in "${globs[@]}"; do
        # shellcheck disable=SC2053 # a pattern is meant
        [[ $1 == $glob ]] && return 0
    done
    return 1
}

add() {                             # add LABEL EXECUTABLE [RECIPE...]: make it, put it on the list
    local label=$1 exe=$2; shift 2
    wanted "$label" || { left_out+=("$label"); return 0; }
    why=''
    if { [ $# -eq 0 ] || "$@"; } && [ -x "$exe" ]; then
        printf '%s\t%s\n' "$label" "$exe" >>"$tmp/list"
    else
        missing+=("$label: ${why:-$exe is not there}")
    fi
}

list_missing() {                    # what is not on the list: label, failed or left out, why; tab separated
    local line label
    for line in "${missing[@]}"; do
        why=${line#*: }
        printf '%s\tfailed\t%s\n' "${line%%: *}" "${why//[$'\t\n']/ }"
    done
    for label in "${left_out[@]}"; do printf '%s\tleft out\tleft out by --only %s\n' "$label" "$only"; done
}

debian_amd64() {                    # the wheels and packages that are taken are made for it
    if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null || [ -z "$codename" ]; then
        fail "had on Debian on amd64 only"
    fi
}

package() {                         # package NAME: install a Debian package on this machine
    command -v apt-get >/dev/null || return
    note "installing the Debian package $1"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1")
    { "${install[@]}" || { apt-get update && "${install[@]}"; }; } >>"$log" 2>&1 </dev/null
}

tool() {                            # tool COMMAND PACKAGE: install it if it is missing
    command -v "$1" >/dev/null || package "$2"
    command -v "$1" >/dev/null || fail "there is no $1 here, and the package $2 did not install"
}

# A part of the cache carries a stamp once it is complete. What has none, or
# another one, is a build that was interrupted or is out of date.
stamp() { echo "$RECIPE $cache"; }
have() { [ "$(cat "$cache/$1" 2>/dev/null)" = "$(stamp)" ]; }
done_with() { stamp >"$cache/$1"; }

declare -A once_status once_why
once() {                            # once NAME COMMAND...: run it once, remember how it went
    local name=$1; shift
    if [ -z "${once_status[$name]:-}" ]; then
        why=''
        "$@"; once_status[$name]=$?; once_why[$name]=$why
    fi
    why=${once_why[$name]}
    return "${once_status[$name]}"
}

pip_download() {                    # pip_download DIR ARG...: one wheel from PyPI into DIR
    local dir=$1; shift
    tool python3 python3 || return
    python3 -m pip --version >/dev/null 2>&1 || package python3-pip
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip here, and python3-pip did not install" || return
    rm -rf "$dir"; mkdir -p "$dir"
    python3 -m pip download --disable-pip-version-check -q --no-deps --only-binary :all: -d "$dir" "$@" >>"$log" 2>&1 </dev/null
}

# list_headers: the development headers that were found, tab separated: the label
# of the interpreter that they belong to, and include directories divided by ':'
list_headers() {
    local dir label top
    for dir in "$pyenv"/versions/*/include/python*; do
        label=$(basename "${dir%/include/*}")
        [ -e "$dir/Python.h" ] && printf '%s-pyenv\t%s\n' "${label%.*}" "$dir"
    done
    for dir in /usr/include/python* "$cache"/debian-*/usr/include/python*; do
        [ -e "$dir/Python.h" ] || continue
        top=$(dirname "$dir")
        label=system
        [ "$top" = /usr/include ] || { label=${top%/usr/include}; label=${label#"$cache/debian-"}; }
        label=${dir#"$top/python"}-$label
        [[ $label != *_d-* ]] || label=${label/_d/}-dbg
        printf '%s\t%s\n' "$label" "$dir:$top"
    done
    return 0
}
