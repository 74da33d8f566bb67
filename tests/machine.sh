# shellcheck shell=bash
# Sourced by the scripts that set a machine up: what they need is found, or installed, here.

# Installs the Debian packages that provide what is missing: `need PACKAGE PROBE…`, where the probe is a
# command that succeeds when the package is not needed.
missing=()
need() { "${@:2}" > /dev/null 2>&1 || missing+=("$1"); }
has() { command -v "$1"; }
install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local root=()
    if [ "$(id -u)" != 0 ]; then
        has sudo > /dev/null || { echo "missing packages: ${missing[*]}; install them, or sudo" >&2; return 1; }
        root=(sudo)
    fi
    echo "installing ${missing[*]}" >&2
    "${root[@]}" apt-get update -q >&2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
    missing=()
}

# Puts cargo on the PATH, wherever rustup or Debian put it, also when HOME is not where it was installed.
find_cargo() {
    local owner_home bin
    owner_home=$(getent passwd "$(id -un)" | cut -d: -f6) || owner_home=
    export HOME=${HOME:-${owner_home:-/tmp}}
    mkdir -p "$HOME"
    for bin in "$(dirname "$(command -v cargo || echo /)")" "${CARGO_HOME:-$HOME/.cargo}/bin" "$owner_home/.cargo/bin" \
        /usr/local/cargo/bin /usr/lib/rust-*/bin; do
        [ -x "$bin/cargo" ] || continue
        PATH=$bin:$PATH
        if [ -z "${RUSTUP_HOME:-}" ] && [ ! -d "$HOME/.rustup" ]; then
            # The toolchains are beside the cargo that was found.
            for toolchains in "${bin%/.cargo/bin}/.rustup" "${bin%/cargo/bin}/rustup"; do
                if [ -d "$toolchains/toolchains" ]; then export RUSTUP_HOME=$toolchains; break; fi
            done
        fi
        cargo --version > /dev/null 2>&1 && return
    done
    echo "there is no Rust toolchain here: install one, with rustup or from Debian" >&2
    return 1
}
