#!/usr/bin/env bash
# tests/sdk.sh - our verdicts beside those of the providers' own SDKs from npm.
#
# usage: tests/sdk.sh [PROVIDER...]
#
# The adapters in tests/sdk/ make requests and ask the SDK, tests/tool/judge.c asks
# our own code; tests/tool/sdk.js compares.  The SDKs are those that
# package-lock.json pins; what is missing is fetched first.  Nothing else here
# goes to the network.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages sdk

# shellcheck source=tests/lib.sh
. tests/lib.sh

if [ ! -x "$BUILD/tests/judge" ]; then
	broken "$BUILD/tests/judge is there"
	finish sdk
fi

# What the runner has to say ends with "P passed F failed", or it did not end.
node tests/tool/sdk.js "$BUILD/tests/judge" "$@" >"$T/said" 2>"$T/log/sdk" || :
sed '$d' "$T/said"
if [[ $(tail -n 1 "$T/said") =~ ^([0-9]+)\ passed\ ([0-9]+)\ failed$ ]]; then
	PASSED=$((PASSED + BASH_REMATCH[1]))
	FAILED=$((FAILED + BASH_REMATCH[2]))
else
	broken "the comparison comes to its end ($(tail -n 1 "$T/said"))"
	why sdk
fi
if [ $# -eq 0 ]; then
	check "as much as ever is compared ($PASSED)" test "$PASSED" -ge 3500
fi

finish sdk
