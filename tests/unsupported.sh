#!/usr/bin/env bash
# What the emulator cannot do must not compile: each numbered case of tests/emu/unsupported.cpp but 0.
set -u
cd "$(dirname "$0")/.."
compile() {
    "${CXX:-g++}" -std=c++17 -DCASE="$1" -Itests/emu -I. -c tests/emu/unsupported.cpp -o /dev/null 2>/dev/null
}
compile 0 || { echo "case 0, which is supported, does not compile"; exit 1; }
for case in 1 2 3 4 5 6 7; do
    if compile $case; then
        echo "case $case of tests/emu/unsupported.cpp compiles: a silent stub"
        exit 1
    fi
done
