#!/usr/bin/env bash
# Float kernels hold no double-precision instruction: their PTX is searched for .f64, that of every
# file of kernels and of the programs that the library writes for a user's systems. Kernels whose
# names say that they are for double are left out. First the search itself is tried on kernels that a
# double literal has got into, also through a call. Also: what becomes of each form of literal in a
# body. The PTX of kernels is what make kept beside their objects; where there is none, or a source is
# newer, they are compiled, and what takes longest waits for GENMATH_TEST_FULL=1.
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

# usage: search FILE.ptx PATTERN [EXCEPT]: the number of entries whose name matches PATTERN and not
# EXCEPT, and of those among them that hold .f64, or call what does or what is defined elsewhere
search() {
    awk -v pattern="$2" -v except="${3:-^$}" '
        /\.(entry|func) / {
            name = $0
            sub(/.*\.(entry|func) */, "", name)
            sub(/^\([^)]*\) */, "", name) # what a function returns
            sub(/[^A-Za-z0-9_$].*/, "", name)
            is_entry = /\.entry/
        }
        /^{/ { inside = 1; defined[name] = 1; if (is_entry) entry[name] = 1 }
        /^}/ { inside = 0 }
        inside && /\.f64/ { double[name] = 1 }
        inside && /^[ \t]*call/ { calling = 1; sub(/call[a-z.]*/, "") }
        calling {
            sub(/\([^)]*\), */, "") # where the result goes
            if (match($0, /[%A-Za-z_$][A-Za-z0-9_$]*/)) {
                calls[name] = calls[name] " " substr($0, RSTART, RLENGTH)
                calling = 0
            }
        }
        function is_wrong(f, list, n, i) {
            if (!(f in verdict)) {
                verdict[f] = (f in double) || !(f in defined)
                n = split(calls[f], list, " ")
                for (i = 1; i <= n; ++i) {
                    if (is_wrong(list[i])) verdict[f] = 1
                }
            }
            return verdict[f]
        }
        END {
            for (f in entry) {
                if (f ~ pattern && f !~ except) {
                    ++count
                    if (is_wrong(f)) { ++wrong; print "double precision: " f > "/dev/stderr" }
                }
            }
            print count + 0, wrong + 0
        }' "$1"
}
ptx() {
    "$nvcc" -ptx -std=c++17 -O3 -arch=compute_90a -I. -Iinclude -DGM_KERNEL_SYSTEMS "$@"
}

# The programs for a user's system, and the literals.
cat >"$folder/programs.cpp" <<'END'
#include <fstream>
#include <iostream>

#include "kernels/gibbs_source.h"
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
    gm_density density = {};
    density.dim = 3;
    density.params = 1;
    density.source = "{ logp[0] = -0.5 * p[0] * y[0] * y[0] - gm_log(1.0 + y[1] * y[2]); }";
    density.gradient_source = "{ grad[0] = 0.1; grad[1] = y[0]; grad[2] = -0.5 * y[2]; }";
    write(folder + "chain.cu", gm::jit_density_program(density, false));
    write(folder + "weight.cu", gm::jit_importance_program(density, false));
    density.columns = 2;
    density.row_source = "{ logp[0] = -0.5 * (d[1] - y[0] * d[0]) * (d[1] - y[0] * d[0]); }";
    density.row_gradient_source = "{ grad[0] = (d[1] - y[0] * d[0]) * d[0]; grad[1] = 0.1 * d[1];"
                                  " grad[2] = gm_exp(-0.5 * y[2]); }";
    write(folder + "chain_data.cu", gm::jit_density_program(density, false));
    write(folder + "weight_data.cu", gm::jit_importance_program(density, false));
    gm_gibbs gibbs = {};
    gibbs.dim = gibbs.params = gibbs.blocks = gibbs.normals = gibbs.uniforms = 2;
    gibbs.source = "{ if (block == 0) { next[0] = 0.5 * y[1] + gm_normal_between(-1.5, 2.0, u[1]); }"
                   " else { next[1] = gm_gamma_step(y[1], 2.5 + p[0] * gm_probit(u[1]), z[1], u[0]) *"
                   " gm_normal_cdf(0.1 * y[0]); } }";
    write(folder + "sampler.cu", gm::jit_gibbs_program(gibbs, false));
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

cat >"$folder/calls.cu" <<'END'
__noinline__ __device__ float plain(float x) { return x * x + 3.0f; }
__noinline__ __device__ float wide(float x) { return x * 0.1; }
__noinline__ __device__ float through(float x) { return wide(x) + 1.0f; }
__global__ void calls_plain(float *x) { *x = plain(*x); }
__global__ void calls_wide(float *x) { *x = wide(*x); }
__global__ void calls_through(float *x) { *x = plain(through(*x)); }
END

# All at once, as many as there are processors: the largest first.
# These have no kernels; and those of spins, which are no floats, take thresholds in double from the
# functions that all backends share. Statistics of chains and of weights are in double.
others='-e kernels/module.cu -e kernels/jit.cu -e kernels/ising.cu -e kernels/potts.cu
    -e kernels/ising_sites.cu -e kernels/multispin.cu -e kernels/tempering.cu
    -e kernels/annealing.cu -e kernels/factor_graph.cu -e kernels/density_annealing.cu
    -e kernels/hopfield.cu -e kernels/diagnostics.cu -e kernels/diagnostics_series.cu
    -e kernels/diagnostics_lags.cu -e kernels/diagnostics_order.cu
    -e kernels/importance_weigh.cu -e kernels/importance_tail.cu -e kernels/importance_resample.cu'
# shellcheck disable=SC2086
files=$(ls -S kernels/*.cu | grep -vxF $others)
# What make kept of a file, unless something that it was compiled from is newer.
kept() {
    local object=${GENMATH_BUILD:-build/release}/cuda/${1%.cu} source
    [ -f "$object.ptx" ] && [ -f "$object.d" ] || return 1
    for source in $(sed 's/^[^:]*://; s/\\$//' "$object.d"); do
        [ "$source" -nt "$object.ptx" ] && return 1
    done
    cp "$object.ptx" "$folder"
}
# Those that take long to compile wait for the long tests.
slow='kernels/(reduce|linalg_|contract_(direct|small|group|tensor)|diffusion)'
found='' skipped=''
printf '%s\n' "$folder"/{rk4,erk,em,chain,weight,chain_data,weight_data,sampler,bad,calls}.cu >"$folder/list"
for file in $files; do
    if ! kept "$file"; then
        if [[ $file =~ $slow ]] && [ -z "${GENMATH_TEST_FULL:-}" ]; then
            skipped="$skipped $file"
            continue
        fi
        echo "$file" >>"$folder/list"
    fi
    found="$found $file"
done
export nvcc folder
export -f ptx
xargs -P "$(nproc)" -I{} bash -c 'ptx {} -o "$folder/$(basename {} .cu).ptx"' <"$folder/list"

failed=0
# usage: finds NAME PATTERN EXCEPT RESULT: the search itself
finds() {
    result=$(search "$folder/$1.ptx" "$2" "$3" 2>/dev/null)
    if [ "$result" != "$4" ]; then
        echo "FAIL: the search in $1 gives $result kernels and those with double precision, not $4"
        failed=1
    fi
}
finds bad . '^$' "1 1"
finds calls plain '^$' "1 0"
finds calls . '^$' "3 2"
finds calls . wide "2 1"

# Names of kernels for double, as the compiler writes them: a template's argument, a part of a name;
# and of the conversion of any type to any.
for_double='IdE|IdL|IdN|EdE|_f64|cast_any'
# usage: check WHAT NAME PATTERN EXCEPT ENTRIES: that many float kernels; "some": one at least
check() {
    result=$(search "$folder/$2.ptx" "$3" "$4")
    count=${result% *}
    if [ "${result#* }" != 0 ] || { [ "$5" = some ] && [ "$count" = 0 ]; } ||
        { [ "$5" != some ] && [ "$count" != "$5" ]; }; then
        echo "FAIL: $1: $result float kernels and of them with double precision, not $5 and 0"
        failed=1
    else
        echo "ok: $1: $count float kernels without a double-precision instruction"
    fi
}
for program in rk4 erk em chain weight chain_data weight_data sampler; do
    check "a user's system, $program" "$program" gm_user_kernel '^$' 1
done
for file in $found; do
    name=$(basename "$file" .cu)
    case $file in
    kernels/sde.cu) check "$file" sde 'sdeEfEE' '^$' 5 ;;
    kernels/ode.cu) check "$file" ode 'EfEE' '^$' 14 ;;
    *) # a file without kernels, or with kernels for double alone, has none to search
        case $(search "$folder/$name.ptx" . 2>/dev/null) in
        "0 0") ;;
        *) [[ $name == *_f64 ]] || check "$file" "$name" . "$for_double" some ;;
        esac
        ;;
    esac
done
[ -z "$skipped" ] || echo "skip: compiling$skipped takes long: GENMATH_TEST_FULL=1"
exit $failed
