#!/usr/bin/env bash
# tests/bench.sh - the instrument of docs/performance.md: script/bench can start each
# peer whose packages are here, each does the work that it is compared for, and a peer
# that does not is found.  No figure is looked at.

cd "$(dirname "$0")/.."
. tests/npm.sh
npm_packages bench
. tests/lib.sh

bench() {
	script/bench "$@" >"$T/said" 2>"$T/log/bench"
}

# First those that say to do the work and do not.
status=0
bench --try --peers trusting || status=$?
is "a peer that verifies nothing ends the run" 1 "$status"
like "with a sentence" "*answered 200 to a wrong signature*" "$(cat "$T/log/bench")"
status=0
bench --try --peers forgetful || status=$?
is "a peer that keeps nothing ends the run" 1 "$status"
like "with a sentence" "*acknowledged 20? events and has kept 0*" "$(cat "$T/log/bench")"

status=0
bench --try || status=$?
is "each peer that is here does its work" 0 "$status"
[ "$status" -eq 0 ] || why bench
named=0
while read -r word name; do
	named=$((named + 1))
	case $word in
	tried:) kept ;;
	absent:) skip "${name%% *} does its work" "$name" ;;
	esac
done <"$T/said"
bench --list
is "and none is left out" "$(wc -l <"$T/said")" "$named"

# What script/bench-more measures without wrk, in small.
parts=(fairness start calls growth)
status=0
script/bench-more --quick "${parts[@]}" >"$T/said" 2>"$T/log/more" || status=$?
if [ "$status" -eq 65 ]; then
	skip "what else is measured" "TMPDIR is memory"
else
	is "what else is measured can be" 0 "$status"
	[ "$status" -eq 0 ] || why more
	is "each part of it" "${#parts[@]}" "$(grep -c '^### ' "$T/said")"
	check "has figures" awk '/^### / && seen++ && !rows { exit 1 } /^### / { rows = 0 } /^\|.*[0-9]/ { rows++ } END { exit !rows }' "$T/said"
fi

finish bench
