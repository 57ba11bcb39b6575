#!/usr/bin/env bash
# The program from outside: help, messages, exit codes, JSON, and output that cannot be written.
# Exit codes: 0 success, 1 a result is wrong, 2 a bad option, 3 a failure.
set -u
program=${GENMATH_PROGRAM:-build/release/genmath}
[ -x "$program" ] || { echo "no program $program: make all"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$folder/out err=$folder/err
unset GENMATH_BACKEND GENMATH_ISA GENMATH_MODULE_PATH
passed=0 failed=0

verdict() { # condition's exit status, what it is about
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $2"
        sed 's/^/    out: /' "$out" | head -n 3
        sed 's/^/    err: /' "$err" | head -n 3
    fi
}

# expect CODE OUT-PATTERN ERR-PATTERN ARGUMENT...: the exit code, and extended regular expressions
# that the two outputs must match. An empty pattern: the output must be empty; *: it may be anything.
expect() {
    local code=$1 out_pattern=$2 err_pattern=$3
    shift 3
    timeout 100 "$program" "$@" >"$out" 2>"$err" </dev/null
    local got=$?
    [ $got = "$code" ]
    verdict $? "genmath $*: exit $got, expected $code"
    match "$out" "$out_pattern" "genmath $*: standard output"
    match "$err" "$err_pattern" "genmath $*: standard error"
}

match() {
    case $2 in
    '*') ;;
    '') [ ! -s "$1" ]; verdict $? "$3 is not empty" ;;
    *) grep -Eq -- "$2" "$1"; verdict $? "$3 does not match: $2" ;;
    esac
}

commands=(info verify bench contract decompose sample noise "chain ising" "chain density"
    "chain rbm" "chain potts")

# ---- help ----
expect 0 'Usage: genmath COMMAND' '' --help
expect 0 'Usage: genmath COMMAND' '' help
expect 2 '' 'Usage: genmath COMMAND'
expect 0 '^genmath [0-9]+\.[0-9]+\.[0-9]+$' '' --version
for command in "${commands[@]}"; do
    "$program" --help | grep -Eq "^  ${command%% *} "
    verdict $? "genmath --help lists $command"
    expect 0 "Usage: genmath $command" '' $command --help
    cp "$out" "$folder/help"
    expect 0 "Usage: genmath $command" '' help $command
    cmp -s "$out" "$folder/help"
    verdict $? "help $command and $command --help are the same"
    expect 0 "Usage: genmath $command" '' $command --usage
    for option in --backend --json --quiet --seed --threads; do
        grep -q -- "$option" "$folder/help"
        verdict $? "$command --help names $option"
    done
done

# ---- bad options: exit 2, a message, nothing on standard output ----
expect 2 '' "no command 'verfy': did you mean 'verify'\?" verfy
expect 2 '' "no command 'benhc': did you mean 'bench'\?" benhc
expect 2 '' "no command 'xyzzy': 'genmath --help'" xyzzy
expect 2 '' "no command 'xyzzy'" help xyzzy
expect 2 '' "no option '--json' before a command" --json info
long=$(printf 'x%.0s' $(seq 5000))
expect 2 '' 'no command' "$long"
for command in "${commands[@]}"; do
    expect 2 '' "genmath $command: unrecognized option '--nonsense'" $command --nonsense
    expect 2 '' '--backend .gpu.: not one' $command --backend gpu
    expect 2 '' "requires an argument" $command --backend
    expect 2 '' '--isa .mmx.: not one' $command --isa mmx
    for threads in 0 -1 4097 two 1.5 1x '' 99999999999999999999; do
        expect 2 '' '--threads .*must be a whole number from 1 to 4096' \
            $command --threads "$threads"
    done
    for seed in -1 x '' 18446744073709551616 1.0; do
        expect 2 '' '--seed .*must be a whole number' $command --seed "$seed"
    done
    expect 2 '' '--device .-1.: must be' $command --device -1
done
expect 2 '' 'Too many arguments' info more
expect 2 '' 'Too many arguments' verify more
for seconds in 0 -1 nan inf x; do
    expect 2 '' '--seconds .*must be a number' bench --seconds "$seconds"
done

# ---- failures: exit 3 ----
export GENMATH_MODULE_PATH=$folder
expect 3 '' 'the cuda module cannot be loaded' verify --backend cuda
expect 3 '' 'the emu module cannot be loaded' verify --backend emu
expect 3 '' 'the cuda module cannot be loaded' bench --backend cuda
expect 3 '' 'the cuda module cannot be loaded' info --backend cuda
expect 0 'cuda +not available: the cuda module cannot be loaded' '' info
unset GENMATH_MODULE_PATH
GENMATH_BACKEND=gpu expect 3 '' 'GENMATH_BACKEND=gpu' verify
GENMATH_ISA=mmx expect 3 '' 'GENMATH_ISA=mmx' verify

# ---- what the commands do ----
expect 0 "^genmath $("$program" --version | cut -d' ' -f2)" '' info
expect 0 '^cpu ' '' info
expect 0 '/' '' verify --list
cases=$(wc -l <"$out")
expect 0 '^random_fill/u32$' '' verify --list --filter random_fill/u32
[ "$(wc -l <"$out")" = 1 ]
verdict $? "--filter selects one case"
one='--filter random_fill/u32'
# shellcheck disable=SC2086
{
    expect 0 'random_fill/u32 .* 0 +0 PASS' '' verify --backend cpu $one
    expect 0 '# 1 passed, 0 failed, 0 skipped' '' verify --backend cpu --isa base --threads 3 $one
    expect 0 'subject cpu, base, 3 threads' '' verify --backend cpu --isa base --threads 3 $one
}
expect 1 '' "no case has 'no such case' in its name" verify --filter 'no such case'
expect 1 '' "no case has 'no such case' in it" bench --filter 'no such case'
expect 0 'random_fill' '' bench --list
if "$program" info --backend emu >/dev/null 2>&1; then
    GENMATH_EMU_SCHEDULE=reverse expect 0 'subject emu, schedule reverse' '' verify --backend emu \
        --filter random_fill/u32
    expect 2 '' 'emu shows whether kernels are right' bench --backend emu
else
    echo "skip: emu: $("$program" info --backend emu 2>&1)"
fi
expect 0 'random_fill u32 .*PASS' '' bench --backend cpu --threads 1 --filter 'random_fill u32' --seconds 0.01
grep -Eq '^# ceilings: copy [0-9.]+ GB/s, multiply-add [0-9.]+ GFLOP/s f32' "$out"
verdict $? "bench prints the ceilings"

# ---- chain ----
expect 2 '' "no model: 'genmath chain --help'" chain
expect 2 '' "no model 'spin': 'genmath chain --help'" chain spin
expect 0 'Usage: genmath chain MODEL' '' chain --help
expect 0 'Usage: genmath chain MODEL' '' help chain
for command in "${commands[@]}"; do
    case $command in chain*)
        grep -Eq "^  ${command#chain } " "$out"
        verdict $? "genmath chain --help lists ${command#chain }" ;;
    esac
done
for size in 0 4x x 4x-1 4x4. 1x1x1x1x1x1x1x1x1; do
    expect 2 '' '--size .*must be 1 to 8 whole numbers' chain ising --size "$size"
done
for temperature in 0 -1 nan 1:2 1:2:1 1:0:3 x; do
    expect 2 '' '--temperature ' chain ising --temperature "$temperature"
done
expect 2 '' '--update .wolff.: must be' chain ising --update wolff
expect 2 '' '--chains .*must be a whole number' chain ising --chains 0
expect 3 '' 'a periodic axis has 3 sites or more' chain ising --size 2x4
expect 3 '' 'No such file' chain ising --start "$folder/none.npy"
chain="chain ising --size 6x6 --glass --temperature 1:3:4 --chains 9 --seed 5"
# shellcheck disable=SC2086
{
    expect 0 '^# 36 chains of 36 sites, 10 \+ 20 sweeps' '' $chain --burn-in 10 --sweeps 20 \
        --out "$folder/whole.npy"
    expect 0 '"binder_cumulant"' '' $chain --burn-in 4 --sweeps 7 --out "$folder/part.npy" --json
    expect 0 'ising_ref' '' $chain --start "$folder/part.npy" --first-sweep 11 --burn-in 0 \
        --sweeps 19 --out "$folder/part.npy" --backend ref
    cmp -s "$folder/whole.npy" "$folder/part.npy"
    verdict $? "a chain that is resumed on another backend has the spins of one long run"
    expect 3 '' 'must be i8 of 36 chains x 25 sites' $chain --size 5x5 --start "$folder/part.npy"
    expect 2 '' '--tempering 5: .* must be multiples' $chain --tempering 5 --sweeps 19
    expect 0 'accepted$' '' $chain --tempering 5 --burn-in 10 --sweeps 20 --out "$folder/whole.npy"
    expect 0 '"round_trips"' '' $chain --tempering 5 --burn-in 5 --sweeps 10 --json \
        --out "$folder/part.npy"
    expect 0 'tempering_ref' '' $chain --tempering 5 --start "$folder/part.npy" --first-sweep 15 \
        --burn-in 0 --sweeps 15 --out "$folder/part.npy" --backend ref
    cmp -s "$folder/whole.npy" "$folder/part.npy"
    verdict $? "ladders that are resumed on another backend are those of one long run"
    expect 3 '' 'must be i32 of 36 chains x \(2 \+ 25 sites\)' $chain --size 5x5 --tempering 5 \
        --burn-in 0 --sweeps 5 --start "$folder/part.npy"
}
packed="chain ising --size 6x10 --packed --temperature 1:3:4 --chains 9 --seed 5"
# shellcheck disable=SC2086
{
    expect 2 '' '--packed: not with --glass' $packed --glass
    expect 2 '' '--packed: --size has at most 3 axes' $packed --size 4x4x4x4
    expect 2 '' '--packed: not with' $packed --lattice triangular
    expect 0 'multispin' '' $packed --lattice hexagonal --burn-in 1 --sweeps 1
    expect 0 '^  1\.0000 -901\.500000 .* 1\.000000 ' '' $packed --field 899.5 --burn-in 1 --sweeps 2
    expect 3 '' 'a periodic axis of odd size has no two colours' $packed --size 5x4
    expect 0 'multispin' '' $packed --burn-in 10 --sweeps 20 --out "$folder/whole.npy"
    expect 0 'multispin' '' $packed --burn-in 4 --sweeps 7 --out "$folder/part.npy" --json
    expect 0 'multispin_ref' '' $packed --start "$folder/part.npy" --first-sweep 11 --burn-in 0 \
        --sweeps 19 --out "$folder/part.npy" --backend ref
    cmp -s "$folder/whole.npy" "$folder/part.npy"
    verdict $? "packed chains that are resumed on another backend have the spins of one long run"
}
correlated="--size 6x10 --temperature 2:3:2 --chains 5 --burn-in 10 --sweeps 20"
# At distance 1 they are the energy: of each site two bonds.
is_energy='NF == 8 { e[$1] = $2 } NF == 6 && $2 == "1" { d = 2 * $3 + e[$1]; n += d * d < 4e-12 }
    END { exit n != 2 }'
# shellcheck disable=SC2086
{
    for form in '' --packed; do
        expect 0 'measured 20 times, every 1 sweeps; .* exact: of the infinite lattice' '' \
            chain ising $correlated --correlations 3 $form
        awk "$is_energy" "$out"
        verdict $? "correlations at distance 1 are the energy $form"
        grep -v '^#' "$out" >"$folder/table"
        expect 0 '_ref' '' chain ising $correlated --correlations 3 $form --backend ref
        grep -v '^#' "$out" | cmp -s - "$folder/table"
        verdict $? "correlations are the same on another backend $form"
    done
    expect 0 '"measurements":.*3' '' chain potts $correlated --correlations 5 --every 6 --json
    expect 0 'exact: of the ring' '' chain potts $correlated --size 9 --correlations 8
    expect 0 'exact: of the chain' '' chain ising $correlated --size 9 --correlations 8 --free
    expect 0 'measured 20 times' '' chain ising $correlated --packed --lattice hexagonal \
        --correlations 9
    expect 0 'measured 20 times' '' chain ising $correlated --lattice triangular --correlations 5
    expect 2 '' '--correlations 6: must be less than the 6 sites' chain ising $correlated \
        --correlations 6
    expect 2 '' '--correlations: not with --tempering' chain ising $correlated --correlations 3 \
        --tempering 5
    expect 2 '' '--every 21: there are 20 --sweeps' chain ising $correlated --correlations 3 \
        --every 21
}
expect 2 '' '--lattice .kagome.: must be square, triangular or hexagonal' \
    chain ising --lattice kagome
expect 3 '' 'a triangular or hexagonal lattice has 2' chain ising --lattice hexagonal --size 4x4x4
expect 3 '' 'hexagonal lattice is even' chain potts --lattice hexagonal --size 4x5
expect 0 '"lattice":.*"hexagonal"' '' chain ising --lattice hexagonal --size 4x6 --sweeps 5 \
    --burn-in 0 --update lazy-metropolis --json
expect 0 '^# 288 chains of 12 sites' '' chain ising --lattice triangular --size 3x4 --sweeps 5 \
    --burn-in 0
for states in -2 0 1 257 x; do
    expect 2 '' '--states .*must be a whole number from 2 to 256' chain potts --states "$states"
done
expect 2 '' '--update .glauber.: must be heat-bath or metropolis' chain potts --update glauber
expect 2 '' '--picture: a lattice of two axes' chain potts --size 4x4x4 --picture "$folder/p.png"
chain="chain potts --states 4 --size 6x6 --temperature 0.8:1.2:3 --chains 9 --seed 5"
# shellcheck disable=SC2086
{
    expect 0 '^# 27 chains of 36 sites, 10 \+ 20 sweeps' '' $chain --burn-in 10 --sweeps 20 \
        --out "$folder/whole.npy" --picture "$folder/p.png"
    [ "$(head -c 4 "$folder/p.png" | tail -c 3)" = PNG ]
    verdict $? "genmath chain potts --picture is a PNG file"
    expect 0 '"states":.*4' '' $chain --burn-in 4 --sweeps 7 --out "$folder/part.npy" --json
    expect 0 'potts_ref' '' $chain --start "$folder/part.npy" --first-sweep 11 --burn-in 0 \
        --sweeps 19 --out "$folder/part.npy" --backend ref
    cmp -s "$folder/whole.npy" "$folder/part.npy"
    verdict $? "Potts chains that are resumed on another backend have the labels of one long run"
    expect 3 '' 'label 3: there are 3' ${chain/states 4/states 3} --start "$folder/whole.npy"
    expect 2 '' '--tempering 5: .* must be multiples' $chain --tempering 5 --sweeps 19
    expect 0 'accepted$' '' $chain --tempering 5 --burn-in 10 --sweeps 20 \
        --out "$folder/whole.npy" --picture "$folder/p.png"
    awk '/^ +[0-9]/ { bad += rows++ > 0 && $2 <= last; last = $2 } END { exit bad > 0 || rows != 3 }' \
        "$out"
    verdict $? "energies of tempered Potts chains rise with the temperature"
    expect 0 '"acceptance"' '' $chain --tempering 5 --burn-in 5 --sweeps 10 --json \
        --out "$folder/part.npy"
    expect 0 'tempering_ref' '' $chain --tempering 5 --start "$folder/part.npy" --first-sweep 15 \
        --burn-in 0 --sweeps 15 --out "$folder/part.npy" --backend ref
    cmp -s "$folder/whole.npy" "$folder/part.npy"
    verdict $? "Potts ladders that are resumed on another backend are those of one long run"
    expect 3 '' 'label 3: there are 3' ${chain/states 4/states 3} --tempering 5 --burn-in 0 \
        --sweeps 5 --start "$folder/whole.npy"
}
ladder='chain potts --states 200 --size 3x3 --temperature 1:2:2 --tempering 1 --burn-in 0 --sweeps 1'
# shellcheck disable=SC2086
{
    expect 0 'accepted$' '' $ladder --out "$folder/part.npy"
    expect 0 'accepted$' '' $ladder --start "$folder/part.npy" --first-sweep 1
}
# Annealing: options that do not go together; log Z against the exact one; the same on two backends.
expect 2 '' '--log-z: with --annealing' chain ising --log-z
expect 2 '' '--picture: with --annealing' chain ising --picture "$folder/p.png"
expect 2 '' '--annealing .*must be a whole number' chain potts --annealing -1
expect 2 '' '--picture: a lattice of two axes' chain ising --size 4x4x4 --annealing 5 \
    --picture "$folder/p.png"
for option in '--sweeps 5' '--burn-in 0' "--start $folder/none.npy" '--first-sweep 1'; do
    expect 2 '' '--annealing: not with --burn-in' chain ising --annealing 5 $option
    expect 2 '' '--annealing: not with --burn-in' chain potts --annealing 5 $option
done
expect 2 '' '--annealing: not with .*--tempering or --packed' chain ising --annealing 5 --packed
expect 2 '' '--annealing: not with .*--tempering' chain ising --annealing 5 --tempering 10
for model in 'ising --size 3x4 --field 0.2 --update metropolis' 'potts --size 3x3 --states 3'; do
    chain="chain $model --glass --temperature 0.7:2:2 --chains 2000 --seed 3 --annealing 60"
    # shellcheck disable=SC2086
    {
        expect 0 'log Z .*exact$' '' $chain --log-z --out "$folder/best.npy" \
            --picture "$folder/p.png"
        awk '/^ +[0-9]/ { far = ($7 - $10) / $8; bad += far > 5 || far < -5 || $9 > $7 || $3 <= 0; ++rows }
            END { exit bad > 0 || rows != 2 }' "$out"
        verdict $? "genmath chain $model --log-z is within 5 errors of the exact one"
        [ "$(head -c 4 "$folder/p.png" | tail -c 3)" = PNG ]
        verdict $? "genmath chain $model --annealing --picture is a PNG file"
        expect 0 '"lowest_energy"' '' $chain --json --backend ref --out "$folder/other.npy"
        cmp -s "$folder/best.npy" "$folder/other.npy"
        verdict $? "genmath chain $model --annealing has the same best states on another backend"
    }
done
expect 0 "^# lowest energy found: -2, by" "" chain ising --size 6x6 -T 0.3 --annealing 200
expect 2 '' 'either --data or --weights' chain rbm
expect 2 '' '--resume and --state belong' chain rbm --weights x --state y
expect 2 '' '--hidden .*must be a whole number' chain rbm --weights x --hidden 0
expect 3 '' 'No such file' chain rbm --weights "$folder/none"
expect 3 '' 'fewer than a batch' chain rbm --data samples/data/digits.npy --batch 1798
rbm="chain rbm --data samples/data/digits.npy --hidden 9 --batch 256 --chains 5 --seed 3"
# shellcheck disable=SC2086
{
    expect 0 'log-likelihood \(exact\): -2[0-9]' '' $rbm --epochs 3 --sweeps 20 --save "$folder/whole" \
        --state "$folder/whole.npy" --out "$folder/units.npy" --picture "$folder/rbm.png"
    expect 0 '"log_likelihood"' '' $rbm --epochs 1 --sweeps 0 --state "$folder/half.npy" --json
    expect 0 '3 epochs' '' $rbm --epochs 2 --sweeps 0 --resume "$folder/half.npy" \
        --state "$folder/half.npy"
    cmp -s "$folder/whole.npy" "$folder/half.npy"
    verdict $? "a training that is resumed has the bits of one long run"
    expect 3 '' 'must be f32 or f64 of' $rbm --hidden 8 --resume "$folder/half.npy"
    rbm="chain rbm --weights $folder/whole --chains 5 --seed 3"
    expect 0 'free energy' '' $rbm --sweeps 7 --out "$folder/part.npy"
    expect 0 '"free_energy"' '' $rbm --sweeps 13 --first-sweep 7 --start "$folder/part.npy" --json \
        --out "$folder/part.npy"
    cmp -s "$folder/units.npy" "$folder/part.npy"
    verdict $? "chains that are resumed from weights have the units of one long run"
    expect 3 '' 'must be u8 of 6 chains' $rbm --chains 6 --start "$folder/part.npy"
}

# A density: bad options; a run resumed to the bit, with each kind of scale.
expect 2 '' 'a density is needed' chain density
expect 2 '' "no density 'cauchy'" chain density cauchy
expect 2 '' 'Too many arguments' chain density normal banana
expect 2 '' '--params: normal has 2' chain density normal --params 1
for params in x 1, 1,2,3 nan ''; do
    expect 2 '' '--params .*must be 1 to 2 numbers' chain density normal --params "$params"
done
expect 2 '' "--method 'nuts': not one" chain density normal --method nuts
expect 2 '' '--draws .*must be a whole number' chain density normal --draws 0
expect 2 '' '--target .*must be a number' chain density normal --target 1
expect 3 '' 'density normal at options.check: ' chain density normal --params 0,0
expect 3 '' 'No such file' chain density normal --start "$folder/none.npy"
for kind in 'hmc --mass dense' 'mala --mass diagonal' 'rwm --mass unit' component ula; do
    chain="chain density banana --chains 9 --seed 5 --thin 2 --method $kind"
    # shellcheck disable=SC2086
    {
        expect 0 '^# banana: 9 chains, 40 \+ 60 steps by' '' $chain --warm-up 40 --draws 30 \
            --state "$folder/whole.npy" --out "$folder/draws.npy" --picture "$folder/draws.png"
        expect 0 '"ess_bulk"' '' $chain --warm-up 40 --draws 10 --state "$folder/part.npy" --json
        expect 0 '^y1 ' '' $chain --draws 20 --start "$folder/part.npy" --first-step 60 \
            --state "$folder/part.npy"
        cmp -s "$folder/whole.npy" "$folder/part.npy"
        verdict $? "a chain by $kind that is resumed ends where one long run does"
        expect 3 '' 'rows x 8 chains' $chain --chains 8 --start "$folder/part.npy"
    }
done
[ "$(wc -c <"$folder/draws.npy")" = $((128 + 30 * 2 * 9 * 8)) ] &&
    [ "$(head -c 4 "$folder/draws.png" | tail -c 3)" = PNG ]
verdict $? "genmath chain density: the draws and the picture are written"

# ---- contract ----
npy() { # file, type, shape, bytes as printf takes them
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' \
        "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }" >"$1"
    # shellcheck disable=SC2059
    printf "$4" >>"$1"
}
a=$folder/a.npy b=$folder/b.npy c=$folder/c.npy f=$folder/f.npy
npy "$a" '<i4' '2, 2' '\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0'
npy "$b" '<i4' '2, 2' '\5\0\0\0\6\0\0\0\7\0\0\0\10\0\0\0'
npy "$c" '<i4' '3,' '\1\0\0\0\2\0\0\0\3\0\0\0'
npy "$f" '<f8' '2,' '\0\0\0\0\0\0\370\77\0\0\0\0\0\0\0\300' # 1.5 and -2
for backend in ref cpu; do
    expect 0 '^ij,jk: i32 \(2, 2\), 16 operations in .* s on '$backend' by ' '' \
        contract ij,jk "$a" "$b" --backend $backend
    [ "$(tail -n +2 "$out" | tr '\n' ' ')" = '19 22 43 50 ' ]
    verdict $? "genmath contract ij,jk: the product"
    expect 0 '^6.25$' '' contract i,i-\> "$f" "$f" --backend $backend --math compensated
done
expect 0 'step 1: ' '' contract ij,jk-\>ki "$a" "$b" --explain
grep -q '^workspace: [0-9]* bytes$' "$out"
verdict $? "genmath contract --explain: the workspace"
expect 0 'i32 \(2, 2\)' '' contract 'ij,jk->ki' "$a" "$b" -o "$folder/ab.npy"
[ "$(tail -c 16 "$folder/ab.npy" | od -An -td4 | tr -s ' ')" = ' 19 43 22 50' ]
verdict $? "genmath contract --out: the file"
expect 0 '^3$' '' contract '...->...' "$c" --order greedy --memory 1000000
expect 2 '' 'an expression and the files' contract 'ij->ji'
expect 2 '' "--math 'fast': not one" contract 'ij->ji' "$a" --math fast
expect 2 '' "--memory '0': must be" contract 'ij->ji' "$a" --memory 0
expect 3 '' "at 4: label k of the output is in no operand" contract 'ij->k' "$a"
expect 3 '' 'label j is 2 in operand 0 and 3 in operand 1' contract 'ij,j->i' "$a" "$c"
expect 3 '' 'inputs\[1\].dtype = f64: must be i32' contract 'ij,j->i' "$a" "$f"
expect 3 '' 'No such file' contract 'ij->' "$folder/none.npy"
expect 3 '' 'no kernel "none"' contract 'ij->' "$a" --kernel none
expect 3 '' 'No such file' contract 'ij->ji' "$a" -o "$folder/none/x.npy"

# ---- decompose ----
# x[i, j] = (i + 1) (j + 1) has rank 1 and one singular value, sqrt(5) sqrt(14).
x=$folder/x.npy
npy "$x" '|u1' '2, 3' '\1\2\3\2\4\6'
for kind in svd tucker tt; do
    expect 0 "^$kind: f64 \(2, 3\), error .*e-1[67], " '' decompose $kind "$x" --tolerance 1e-10 \
        --backend cpu -o "$folder/$kind"
done
expect 0 '^cp: f64 \(2, 3\), error .* after [0-9]+ iterations, 6 numbers for 6' '' \
    decompose cp "$x" --rank 1 --seed 2 --backend ref -o "$folder/cp"
for file in svd.u svd.s svd.vt tucker.core tucker.0 tucker.1 tt.0 tt.1 cp.weights cp.0 cp.1; do
    [ -s "$folder/$file.npy" ]
    verdict $? "genmath decompose: $file.npy is written"
done
for product in 'ij,j,jk->ik svd.u svd.s svd.vt' 'ab,ia,jb->ij tucker.core tucker.0 tucker.1' \
    'aib,bjc->ij tt.0 tt.1' 'r,ir,jr->ij cp.weights cp.0 cp.1'; do
    # shellcheck disable=SC2086
    set -- $product
    expression=$1
    shift
    # shellcheck disable=SC2046
    expect 0 'f64 \(2, 3\)' '' contract "$expression" $(printf "$folder/%s.npy " "$@")
    [ "$(tail -n +2 "$out" | awk '{printf "%.6f ", $1}')" = \
        '1.000000 2.000000 3.000000 2.000000 4.000000 6.000000 ' ]
    verdict $? "genmath decompose: $expression is the array again"
done
expect 2 '' 'svd, cp, tucker or tt and a file' decompose svd
expect 2 '' "decomposition 'lu': not one" decompose lu "$x" --rank 1
expect 2 '' '--rank or --tolerance is needed' decompose svd "$x"
expect 2 '' 'cp needs --rank' decompose cp "$x" --tolerance 0.1
expect 2 '' 'svd takes one number' decompose svd "$x" --rank 1,2
expect 2 '' "--rank '0': must be" decompose svd "$x" --rank 0
expect 2 '' "--tolerance '2': must be" decompose svd "$x" --tolerance 2
expect 2 '' "--method 'hooi': not one" decompose svd "$x" --rank 1 --method hooi
expect 2 '' 'Too many arguments' decompose svd "$x" "$x" --rank 1
expect 3 '' 'must be one or 2' decompose tucker "$x" --rank 1,1,1
expect 3 '' 'svd takes a matrix' decompose svd "$c" --rank 1
expect 3 '' 'No such file' decompose svd "$folder/none.npy" --rank 1
expect 3 '' 'No such file' decompose svd "$x" --rank 1 -o "$folder/none/x"
npy "$folder/i.npy" '<f8' '2, 2' '\0\0\0\0\0\0\360\77\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\360\77'
expect 1 'error 0.707107' 'not converged' decompose svd "$folder/i.npy" --rank 1 --tolerance 0.1

# ---- JSON ----
if command -v python3 >/dev/null; then
    json() { # a Python expression over the value j, then the arguments
        local claim=$1
        shift
        "$program" "$@" >"$out" 2>"$err" </dev/null
        python3 -m json.tool "$out" >/dev/null 2>>"$err"
        verdict $? "genmath $*: not JSON"
        python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
sys.exit(not eval(sys.argv[2]))' "$out" "$claim" 2>>"$err"
        verdict $? "genmath $*: not true: $claim"
    }
    json '[b["name"] for b in j["backends"]] == ["ref", "cpu", "cuda", "emu"]' info --json
    json 'all(b["available"] or b["reason"] for b in j["backends"])' info --json
    json 'j["passed"] == 1 and j["cases"][0]["verdict"] == "PASS" and j["cases"][0]["error"] == 0' \
        verify --json --backend cpu --filter random_fill/u32
    json 'j["ceilings"]["copy_bytes_per_second"] > 1e8 and j["cases"][0]["min_seconds"] > 0' \
        bench --json --backend cpu --threads 1 --filter 'random_fill u32' --seconds 0.01

    json 'j["shape"] == [2, 2] and j["dtype"] == "i32" and j["operations"] == 16 and j["seconds"] > 0' \
        contract --json --backend cpu ij,jk "$a" "$b"
    json 'j["factors"] == {"u": [2, 1], "s": [1], "vt": [1, 3]} and j["error"] < 1e-15' \
        decompose --json --backend cpu svd "$x" --tolerance 1e-10

    # The progress line appears on a terminal and nowhere else, and not with --quiet.
    terminal() {
        python3 - "$program" "$@" <<'PYTHON'
import os, pty, sys
pid, descriptor = pty.fork()
if pid == 0:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
try:
    while True:
        part = os.read(descriptor, 4096)
        if not part:
            break
        seen += part
except OSError:
    pass
os.waitpid(pid, 0)
sys.exit(b" cases (" not in seen)
PYTHON
    }
    terminal bench --backend cpu --threads 1 --filter 'random_fill uniform' --seconds 0.6
    verdict $? "a progress line on a terminal"
    ! terminal bench --backend cpu --threads 1 --filter 'random_fill uniform' --seconds 0.6 --quiet
    verdict $? "no progress line with --quiet"
else
    echo "skip: JSON and the progress line: no python3"
fi

# ---- output that cannot be written ----
for command in --help --version "info" "verify --list" "verify --help" "info --json"; do
    # shellcheck disable=SC2086
    "$program" $command >&- 2>"$err"
    [ $? = 3 ] && grep -q 'standard output cannot be written' "$err"
    verdict $? "genmath $command with standard output closed"
    # shellcheck disable=SC2086
    "$program" $command >/dev/full 2>"$err"
    [ $? = 3 ] && grep -q 'No space left' "$err"
    verdict $? "genmath $command on a full disk"
done
"$program" verify --list 2>&- >"$out" && [ "$(wc -l <"$out")" = "$cases" ]
verdict $? "standard error closed"

printf '%d checks passed, %d failed\n' $passed $failed
[ $failed = 0 ]
