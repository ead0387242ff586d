#!/usr/bin/env bash
# tests/google.sh - Google's services as destinations: which tokens are asked for, kept
# and asked for again, and what each fault of theirs counts for.  tests/tool/google.js
# has the fakes, which Google's own clients from npm prove first.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages google

# shellcheck source=tests/lib.sh
. tests/lib.sh
. tests/load.sh

if [ ! -x "$BUILD/tests/poster" ]; then
	broken "$BUILD/tests/poster is there"
	finish google
fi
mkdir "$T/fake"
quietly openssl openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/fake/key.pem"

# table WHAT...: what google.js finds
table() {
	timeout 200 node tests/tool/google.js "$@" >"$T/said" 2>"$T/log/google" || :
	sed '$d' "$T/said"
	if [[ $(tail -n 1 "$T/said") =~ ^([0-9]+)\ passed\ ([0-9]+)\ failed$ ]]; then
		PASSED=$((PASSED + BASH_REMATCH[1]))
		FAILED=$((FAILED + BASH_REMATCH[2]))
	else
		broken "the table $1 comes to its end ($(tail -n 1 "$T/said"))"
		why google
	fi
}
table clients "$T/fake"
table tokens "$BUILD/tests/poster" "$T/fake"

# Are these tests that could fail?
san=()
[[ $BUILD != *san* ]] || san=(SAN=1)
make -s BUILD="$BUILD/forgetful" "${san[@]}" \
    CFLAGS="-O1 -g -DTEST_TOKENS_NOT_KEPT -DTEST_NO_SECOND_TOKEN" "$BUILD/forgetful/tests/poster"
is "without its guards each attempt asks for a token, and a 401 is the outcome" \
    "assertions 2 after 401 later 401" \
    "$(timeout 60 node tests/tool/google.js unguarded "$BUILD/forgetful/tests/poster" "$T/fake" 2>>"$T/log/google" | xargs)"

finish google
