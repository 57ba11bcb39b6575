#!/usr/bin/env bash
# Float kernels hold no double-precision instruction: their PTX is searched for .f64, that of the
# ensemble kernels in the library and of the programs it writes for a user's systems. First the
# search itself is tried on a kernel that a double literal has got into. Also: what becomes of each
# form of literal in a body.
set -eu
cd "$(dirname "$0")/.."
nvcc=${NVCC:-$(command -v nvcc || true)}
[ -n "$nvcc" ] || { [ -x /usr/local/cuda/bin/nvcc ] && nvcc=/usr/local/cuda/bin/nvcc; }
if [ -z "$nvcc" ]; then
    echo "skip: no nvcc: float kernels are not searched for double-precision instructions"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# usage: search FILE.ptx PATTERN: the number of entries whose name matches, and of those among them
# that hold .f64 or a call
search() {
    awk -v pattern="$2" '
        /\.entry/ { inside = $0 ~ pattern; count += inside; bad = 0 }
        inside && /\.f64|call/ && !bad++ { ++wrong; print "double precision: " $0 > "/dev/stderr" }
        END { print count + 0, wrong + 0 }' "$1"
}
ptx() {
    "$nvcc" -ptx -std=c++17 -O3 -arch=compute_90 -I. -Iinclude "$@"
}

# The programs for a user's system, and the literals.
cat >"$folder/programs.cpp" <<'END'
#include <fstream>
#include <iostream>

#include "kernels/jit_source.h"

static int wrong = 0;
static void expect(const char *body, const char *cast) {
    const std::string got = gm::cast_literals(body);
    if (got != cast) {
        std::cerr << body << " became " << got << ", not " << cast << "\n";
        ++wrong;
    }
}

static void write(const std::string &name, const std::string &text) {
    std::ofstream(name) << text;
}

int main(int, char **arguments) {
    expect("0.5*y[0]", "(real)0.5*y[0]");
    expect("1e-3+2.E4-.25", "(real)1e-3+(real)2.E4-(real).25");
    expect("1.5f 2.L 3.0F", "1.5f 2.L 3.0F");
    expect("0x1p-3 0x1.8P+2f 0xff 0x1e5", "(real)0x1p-3 (real)0x1.8P+2f 0xff 0x1e5");
    expect("7 7u 10LL y[3]", "7 7u 10LL y[3]");
    expect("a1e5 x2.f", "a1e5 x2.f");
    expect("2.0-x 1e5-3", "(real)2.0-x (real)1e5-3");
    expect("p[0]*1.0/3.", "p[0]*(real)1.0/(real)3.");
    expect("", "");
    gm_system system = {};
    system.dim = 2;
    system.params = 1;
    system.name = "user";
    system.source = "{ dydt[0] = 0.1 * y[1] + gm_sin(t);"
                    " dydt[1] = gm_exp(-0.5 * y[0]) * p[0] + sqrt(2.5) * 1e-1; }";
    gm_sde sde = {};
    sde.noises = 2;
    sde.diagonal = 1;
    sde.drift = &system;
    sde.source = "{ g[0] = 0.1 * t; g[1] = gm_sqrt(2.0 * p[0]); }";
    const std::string folder = std::string(arguments[1]) + "/";
    write(folder + "rk4.cu", gm::jit_program(system, nullptr, false, false));
    write(folder + "erk.cu", gm::jit_program(system, nullptr, false, true));
    write(folder + "em.cu", gm::jit_program(system, &sde, false, false));
    std::string bad = gm::jit_program(system, nullptr, false, false);
    for (size_t at; (at = bad.find("(real)0.1")) != std::string::npos;) {
        bad.erase(at, 6);
    }
    write(folder + "bad.cu", bad);
    return wrong;
}
END
"${CXX:-g++}" -std=c++17 -I. -Iinclude -DGM_KERNEL_SYSTEMS "$folder/programs.cpp" \
    -o "$folder/programs"
"$folder/programs" "$folder"

failed=0
ptx "$folder/bad.cu" -o "$folder/bad.ptx"
if [ "$(search "$folder/bad.ptx" . 2>/dev/null)" != "1 1" ]; then
    echo "FAIL: a double literal in a float kernel is not found"
    failed=1
fi
# usage: check NAME FILE PATTERN ENTRIES
check() {
    result=$(search "$2" "$3")
    if [ "$result" != "$4 0" ]; then
        echo "FAIL: $1: $result float kernels and of them with double precision, not $4 0"
        failed=1
    else
        echo "ok: $1: $4 float kernels without a double-precision instruction"
    fi
}
for program in rk4 erk em; do
    ptx "$folder/$program.cu" -o "$folder/$program.ptx"
    check "a user's system, $program" "$folder/$program.ptx" gm_user_kernel 1
done
ptx -DGM_KERNEL_SYSTEMS kernels/sde.cu -o "$folder/sde.ptx"
check kernels/sde.cu "$folder/sde.ptx" 'sdeEfEE' 5
ptx -DGM_KERNEL_SYSTEMS kernels/ode.cu -o "$folder/ode.ptx"
check kernels/ode.cu "$folder/ode.ptx" 'EfEE' 14
exit $failed
