#!/usr/bin/env bash
# Installs system packages, where they are missing and this user may.
# usage: ci/setup.sh needed    what ci/check.sh uses: C and C++ compilers, rustfmt and clippy, Chromium, NVRTC (no GPU needed)
#        ci/setup.sh optional  also what ci/nightly.sh uses: qemu-user
# exit: 0 all there, 1 something essential is missing, 3 something optional is missing
set -euo pipefail

# have COMMAND...: whether one of them is there.
have() {
    local name
    for name in "$@"; do command -v "$name" >/dev/null && return; done
    return 1
}

# install PACKAGE: with apt, as root.
install() {
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
    have apt-get || { echo "missing: $1, and there is no apt-get to install it"; return 1; }
    have "${sudo[@]:-true}" || { echo "missing: $1, and this user may not install it"; return 1; }
    echo "installing $1"
    if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null; then
        "${sudo[@]}" apt-get update -qq
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
    fi
}

# NVIDIA's run-time compiler, into the tools folder, for the tests of the CUDA kernels: it is neither shipped nor linked.
nvrtc() {
    local tools=${CARGO_TARGET_DIR:-target}/tools/nvrtc version=13.5.37
    [ -e "$tools/nvidia_cuda_nvrtc-$version.dist-info" ] && return
    have python3 && python3 -m pip --version >/dev/null 2>&1 || { echo "missing: pip, to fetch nvidia-cuda-nvrtc"; return 1; }
    rm -rf "$tools"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$tools" "nvidia-cuda-nvrtc==$version"
}

case ${1:-} in needed | optional) ;; *) sed -n '2,5p' "$0"; exit 2 ;; esac
status=0
have cargo || { echo "missing: cargo; install Rust from https://rustup.rs"; exit 1; }
have cc || install gcc || exit 1
have g++ || install g++ || status=3
for component in rustfmt clippy; do
    cargo "${component#rust}" --version >/dev/null 2>&1 || rustup component add "$component" || exit 1
done
have chromium chromium-browser google-chrome || install chromium || status=3
nvrtc || status=3
if [ "$1" = optional ]; then
    have qemu-x86_64-static || install qemu-user-static || status=3
fi
exit $status
