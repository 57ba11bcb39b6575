#!/bin/sh
# Feeds the words of `genmath noise` to a part of dieharder: one sequence, and 1024 trajectories in
# turn. Fails on a verdict FAILED; WEAK comes up once in 100 tests of a perfect generator.
# usage: tests/dieharder.sh PROGRAM
set -u
program=${1:?usage: tests/dieharder.sh PROGRAM}
if ! command -v dieharder >/dev/null; then
    echo "skipped: dieharder is not installed (Debian: apt-get install dieharder)"
    exit 0
fi

# birthdays, 32x32 rank, runs, serial, bit distribution, least gcd, byte rank
tests='0 2 15 100 101 102 3'
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
