#!/bin/sh
# Feeds the words of `genmath noise` to a part of dieharder: one sequence, and 1024 trajectories in
# turn. Fails on a verdict FAILED; WEAK comes up once in 100 tests of a perfect generator. It takes
# minutes, so it runs only with GENMATH_TEST_FULL=1.
# usage: tests/dieharder.sh [PROGRAM]     default: $GENMATH_PROGRAM
set -u
program=${1:-${GENMATH_PROGRAM:?no program: name it or set GENMATH_PROGRAM}}
if [ "${GENMATH_TEST_FULL:-}" != 1 ]; then
    echo "skip: dieharder takes minutes, GENMATH_TEST_FULL=1 runs it"
    exit 0
fi
if ! command -v dieharder >/dev/null; then
    echo "skip: dieharder is not installed (Debian: apt-get install dieharder)"
    exit 0
fi

# birthdays, 32x32 rank, 6x8 rank, runs, monobit, runs of bits, serial
tests='0 2 3 15 100 101 102'
failures=0
for feed in '--seed 1' '--seed 2 --stream 1 --interleave 1024'; do
    for test in $tests; do
        # shellcheck disable=SC2086 -- the options are words
        report=$("$program" noise $feed | dieharder -g 200 -d "$test" -k 1)
        verdicts=$(printf '%s\n' "$report" | grep -E 'PASSED|WEAK|FAILED')
        if [ -z "$verdicts" ] || printf '%s\n' "$verdicts" | grep -q FAILED; then
            failures=$((failures + 1))
        fi
        printf '%s\n' "$verdicts" | sed "s/^/noise $feed:/"
    done
done
echo "$failures of the tests failed"
[ "$failures" -eq 0 ]
