#!/usr/bin/env bash
# Installs system packages, where they are missing and this user may.
# usage: ci/setup.sh needed    what ci/check.sh uses: C and C++ compilers, rustfmt and clippy, Chromium, NVRTC (no GPU needed), a software Vulkan driver
#        ci/setup.sh optional  also what ci/nightly.sh uses: qemu-user, Rust's aarch64 target
#        ci/setup.sh runtimes  ONNX Runtime and two of its providers, into target/tools/onnxruntime (or $YARDSTICK_ORT_PACKAGES)
# exit: 0 all there, 1 something essential is missing or a file is not the one that was pinned, 3 something optional is missing
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

# package FOLDER SHA256 NAME==VERSION TAG: a wheel of PyPI, checked, unpacked into a folder of its own. No Python package of the
# system is touched, and none of them needs the Python it was made for: only the libraries inside are used.
package() {
    local folder=$packages/$1 name=${3%%==*}
    [ ! -e "$folder/.${3}" ] || return 0
    echo "downloading $3"
    rm -rf "$folder" "$folder.part"
    mkdir -p "$folder.part"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 311 --implementation cp \
        --platform "$4" --dest "$folder.part" "$3" || { echo "missing: $3; is PyPI reachable?"; return 3; }
    echo "$2  $(echo "$folder.part/$(echo "$name" | tr - _)"-*.whl)" | sha256sum --check --quiet || { echo "$3 is not the file that was pinned"; return 1; }
    (cd "$folder.part" && python3 -m zipfile -e ./*.whl . && rm ./*.whl) && touch "$folder.part/.${3}" && mv "$folder.part" "$folder"
}

# The versions that the tests of backends/ort were written against. Without a network they are missing, which is no failure; another
# file under a pinned name is one.
runtimes() {
    [ "$(uname -sm)" = "Linux x86_64" ] || { echo "missing: runtimes are pinned for x86-64 Linux only"; return 3; }
    have python3 && python3 -m pip --version >/dev/null 2>&1 || install python3-pip || return 3
    packages=${YARDSTICK_ORT_PACKAGES:-${CARGO_TARGET_DIR:-$(dirname "$0")/../target}/tools/onnxruntime}
    mkdir -p "$packages"
    package onnxruntime 5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f onnxruntime==1.31.1 manylinux_2_28_x86_64 || return
    package openvino 3007c803634cc69c6d52af1dea7ce729d9bb62b9a11070fd2f959119199007a8 onnxruntime-openvino==1.24.1 manylinux_2_28_x86_64 || return
    package qnn c56c01562b8534fe8980cfea4601408d950c065f8251fb862ce82101c52c9849 onnxruntime-qnn==2.7.0 manylinux_2_35_x86_64 || return
}

case ${1:-} in
    needed | optional) ;;
    runtimes) runtimes; exit ;;
    *) sed -n '2,6p' "$0"; exit 2 ;;
esac
status=0
have cargo || { echo "missing: cargo; install Rust from https://rustup.rs"; exit 1; }
have cc || install gcc || exit 1
have g++ || install g++ || status=3
for component in rustfmt clippy; do
    cargo "${component#rust}" --version >/dev/null 2>&1 || rustup component add "$component" || exit 1
done
have chromium chromium-browser google-chrome || install chromium || status=3
nvrtc || status=3
# Vulkan's loader and Mesa's software driver: without them the tests of wgpu are skipped.
if [ "$(uname -s)" = Linux ]; then
    ldconfig -p | grep -q libvulkan.so.1 || install libvulkan1 || status=3
    ls /usr/share/vulkan/icd.d/lvp_icd.*.json >/dev/null 2>&1 || install mesa-vulkan-drivers || status=3
fi
if [ "$1" = optional ]; then
    have qemu-x86_64-static || install qemu-user-static || status=3
    rustup target add aarch64-unknown-linux-musl || status=3
fi
exit $status
