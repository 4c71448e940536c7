#!/usr/bin/env bash
# Whether the wgpu backend compiles for the browser (wasm32-unknown-unknown): checked, not run.
# usage: ci/nightly/wasm.sh
# environment: WASM_SYSROOT, a Rust toolchain's root with a standard library for wasm32 or its sources; without it the toolchain
#   in use must have the target, or Debian's rustc-web with rust-web-src is unpacked privately (apt-get download)
# exit: 0 it compiles, 1 it does not, 3 there is no toolchain for it
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
triple=wasm32-unknown-unknown
flags=()

# A toolchain with the target installed needs nothing more.
if [ -z "${WASM_SYSROOT:-}" ] && [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple/lib" ]; then
    command -v dpkg > /dev/null || { echo "skipped: no standard library for $triple, and this is no Debian"; exit 3; }
    WASM_SYSROOT=$(realpath -m "$target/tools/rustc-web/usr")
    if [ ! -x "$WASM_SYSROOT/bin/rustc" ]; then
        mkdir -p "$target/tools/rustc-web"
        # The development files name the library of the compiler's version, and that names its LLVM.
        depends() { apt-cache depends "$1" 2> /dev/null | sed -n "s/^ *Depends: \\($2[^ ]*\\)\$/\\1/p"; }
        library=$(depends libstd-rust-web-dev libstd-rust-web-)
        [ -n "$library" ] || { echo "skipped: Debian's archive known here has no rustc-web"; exit 3; }
        llvm=$(depends "$library" libllvm)
        (cd "$target/tools/rustc-web" && apt-get download rustc-web rust-web-src libstd-rust-web-dev "$library" ${llvm:+"$llvm"} \
            && for package in *.deb; do dpkg -x "$package" .; done) \
            || { echo "skipped: Debian's rustc-web cannot be downloaded"; exit 3; }
    fi
fi
if [ -n "${WASM_SYSROOT:-}" ]; then
    export RUSTC=$WASM_SYSROOT/bin/rustc RUSTC_BOOTSTRAP=1
    LD_LIBRARY_PATH=$(find "$WASM_SYSROOT/lib" -name 'libLLVM*' -o -name 'librustc_driver*' 2> /dev/null | xargs -r -n 1 dirname | sort -u | paste -sd: -)
    export LD_LIBRARY_PATH
    flags=(-Zbuild-std=std,panic_abort)
fi
CARGO_TARGET_DIR=$target/wasm cargo check --locked -p yardstick-wgpu --target $triple "${flags[@]}"
echo "yardstick-wgpu compiles for $triple"
