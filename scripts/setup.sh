#!/usr/bin/env bash
# Makes .venv ready for the Makefile, from nothing but Python: system packages first, then the Python ones.
#
# Usage: scripts/setup.sh run|test|e2e|oracle
#   run    what the program needs
#   test   that, and what its checks need
#   e2e    an X server and what drives a window on it (system packages only)
#   oracle fastai in .venv-oracle, an environment of its own, without this program
# PYTHON=/path/to/python chooses the interpreter; without it python3.11 is tried, then python3.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?run, test, e2e or oracle}
venv=.venv
if [ "$purpose" = oracle ]; then venv=.venv-oracle; fi
# What docs/parity.md is about; the rest of its versions are those of constraints.txt.
oracle_packages="fastai==2.8.12 spacy==3.8.18 torch==2.13.0 safetensors==0.8.0"

# What Qt loads from the system on Linux, and the Debian package that holds it.
qt_libraries="
libEGL.so.1             libegl1
libGL.so.1              libgl1
libdbus-1.so.3          libdbus-1-3
libfontconfig.so.1      libfontconfig1
libglib-2.0.so.0        libglib2.0-0
libxcb-cursor.so.0      libxcb-cursor0
libxcb-icccm.so.4       libxcb-icccm4
libxcb-keysyms.so.1     libxcb-keysyms1
libxcb-shape.so.0       libxcb-shape0
libxcb-xinerama.so.0    libxcb-xinerama0
libxkbcommon-x11.so.0   libxkbcommon-x11-0
"

# What drives a window on an X server without a screen: the program, and its Debian package.
e2e_programs="
Xvfb      xvfb
openbox   openbox
xdotool   xdotool
"

say() { printf '%s\n' "$@" >&2; }
die() { say "$@"; exit 1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    die "Python 3.11 or newer was not found (tried: ${PYTHON:-python3.11 python3})." \
        "Install it, or name it: make run PYTHON=/path/to/python3.11"
}

can_make_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

venv_works() { "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

loads() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }

has_font() {
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts ~/.fonts ~/.local/share/fonts \
        -name '*.[ot]t[fc]' -print -quit 2>/dev/null)" ]
}

missing_qt() {
    local library package
    while read -r library package; do
        [ -z "$library" ] || loads "$library" || echo "$package"
    done <<<"$qt_libraries"
    has_font || echo fonts-dejavu-core
}

missing_programs() {
    local program package
    while read -r program package; do
        [ -z "$program" ] || command -v "$program" >/dev/null || echo "$package"
    done <<<"$e2e_programs"
}

missing_packages() {
    venv_works || can_make_venv ||
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    missing_qt
    if [ "$purpose" = e2e ]; then missing_programs; fi
}

apt_install() {
    say "Installing system packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends "$@" ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"; }
}

# Installs the system packages that are missing where that is allowed; otherwise says how, and goes on.
see_to_system() {
    [ "$(uname -s)" = Linux ] || return 0
    local missing
    missing=$(missing_packages | xargs)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2086  # one word a package
        apt_install $missing >&2 && return 0
    fi
    say "" "Some system packages are missing (Debian's names). Please install them:" \
        "    sudo apt-get install --no-install-recommends $missing" ""
}

make_venv() {
    if venv_works; then return 0; fi
    can_make_venv || die "$python cannot make a virtual environment (it lacks venv or ensurepip)." \
        "Install what is named above and try again, or name another Python: make run PYTHON=/path/to/python3.11"
    say "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

# Installs at the versions of constraints.txt.
pip_install() {
    say "Installing Python packages into $venv (the first time takes minutes)"
    "$venv/bin/python" -m pip --disable-pip-version-check install -c constraints.txt "$@"
}

find_python
see_to_system
if [ "$purpose" != e2e ]; then make_venv; fi
case $purpose in
    run) pip_install -e . ;;
    test) pip_install -e ".[test]" ;;
    e2e) ;;
    # shellcheck disable=SC2086  # one word a package
    oracle) pip_install $oracle_packages ;;
    *) die "usage: scripts/setup.sh run|test|e2e|oracle" ;;
esac
