#!/usr/bin/env bash
# tests/http.sh - events sent over HTTP to real servers: what arrives, who is believed,
# what each answer and each fault counts for.  tests/tool/http.js has the table; the
# signature is looked at by the official library of Standard Webhooks.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages http

# shellcheck source=tests/lib.sh
. tests/lib.sh

if [ ! -x "$BUILD/tests/poster" ]; then
	broken "$BUILD/tests/poster is there"
	finish http
fi
# Both ends of more than a thousand connections
ulimit -n 8192 2>/dev/null || ulimit -n "$(ulimit -Hn)"

mkdir "$T/tls"
(
	cd "$T/tls"
	new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
	openssl req -x509 "${new[@]}" -subj "/CN=the tests' CA" -keyout ca.key -out ca.pem
	openssl req -x509 "${new[@]}" -subj /CN=localhost \
	    -addext subjectAltName=DNS:localhost -keyout alone.key -out alone.pem
	for name in good wrong; do
		host=localhost
		[ "$name" = good ] || host=elsewhere.example
		openssl req "${new[@]:0:4}" -nodes -subj "/CN=$host" -keyout "$name.key" -out "$name.csr"
		openssl x509 -req -days 2 -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
		    -extfile <(echo "subjectAltName=DNS:$host") -out "$name.pem"
	done
	printf 'default login somebody password out-of-netrc\n' >.netrc
) >"$T/log/openssl" 2>&1

timeout 300 node tests/tool/http.js "$BUILD/tests/poster" "$T/tls" >"$T/said" 2>"$T/log/http" || :
sed '$d' "$T/said"
if [[ $(tail -n 1 "$T/said") =~ ^([0-9]+)\ passed\ ([0-9]+)\ failed$ ]]; then
	PASSED=$((PASSED + BASH_REMATCH[1]))
	FAILED=$((FAILED + BASH_REMATCH[2]))
else
	broken "the table comes to its end ($(tail -n 1 "$T/said"))"
	why http
fi

# Are these tests that could fail?  The same without the guards:
san=()
[[ $BUILD != *san* ]] || san=(SAN=1)
variant "$BUILD" unguarded tests/poster \
    TEST_FOLLOW_REDIRECTS TEST_BELIEVE_EVERYBODY TEST_WAIT_FOR_NAMES
is "without its guards a redirect is followed, anybody is believed, names are waited for" \
    "redirect done 1 wrong done 1 alone done 1 names false" \
    "$(timeout 120 node tests/tool/http.js "$BUILD/unguarded/tests/poster" "$T/tls" --unguarded 2>>"$T/log/http" |
	grep -v '^not kept' | xargs)"

finish http
