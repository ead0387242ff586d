#!/usr/bin/env bash
# tests/explain.sh - "explain" says of each way in which a request goes wrong that it is
# this one, and of a forgery that it knows none.
#
# Each request is made wrong on purpose; before that the same, made right, holds.

. "$(dirname "$0")/lib.sh"

programs
H=$T/bin/hooklatch
mkdir "$T/b"
export RIGHT=the-right-secret OTHER=another-secret
export QUOTED='"the-right-secret"' SPACED=' the-right-secret ' URL=https://hook.example/hook
HEX=$(printf 'the-right-secret' | od -An -tx1 | tr -d ' \n')
BASE64=$(printf 'the-right-secret' | base64)
export HEX BASE64 PREFIXED=acme_the-right-secret

hmac() {	# hmac HASH SECRET FILE: hex
	openssl dgst "-$1" -hmac "$2" -r <"$3" | cut -d' ' -f1
}

# http FILE BODY [HEADER...]: a request as it goes over the wire
http() {
	local file=$1 body=$2
	shift 2
	{
		printf 'POST /hook?a=1 HTTP/1.1\r\nHost: hook.example\r\nContent-Type: application/json\r\n'
		printf 'Content-Length: %d\r\n' "$(stat -c %s "$body")"
		printf '%s\r\n' "$@" ''
		cat "$body"
	} >"$file"
}

# explain FILE OPTION...: the causes, "body secret", of the first explanation
explain() {
	"$H" explain --json "$@" 2>"$T/b/err" >"$T/b/json" || :
	sed -nE 's/.*"causes":\[\{"cause":"([^"]*)"(,"and":"([^"]*)")?.*/\1 \3/p; s/.*"causes":\[\].*/none/p' \
	    "$T/b/json" | sed 's/ $//'
}
verdict() {
	member verdict <"$T/b/json"
}

printf '{"id": "e1", "text": "Gr\303\274\303\237e & <b>", "path": "a/b"}' >"$T/b/wide"
tr -d ' ' <"$T/b/wide" | sed 's/"Gr/"Gr/' >"$T/b/compact"
HEADER="X-Hub-Signature-256: sha256=$(hmac sha256 "$RIGHT" "$T/b/wide")"
GITHUB=(--provider github --secret env:RIGHT)

http "$T/b/right" "$T/b/wide" "$HEADER"
is "a request that is right" none "$(explain "$T/b/right" "${GITHUB[@]}")"
is "... holds" genuine "$(verdict)"

# expect WHAT CAUSES FILE OPTION...
expect() {
	local what=$1 causes=$2
	shift 2
	is "$what" "$causes" "$(explain "$@")"
	check "$what: now it does not hold" eval '[ "$(verdict)" != genuine ]'
}

# --- secrets, and how they are read ------------------------------------------------------

cat >"$T/conf.json" <<-END
	{ "inbox": "none", "hooks": {
		"/hook": { "provider": "github", "secret": "env:OTHER" },
		"/else": { "provider": "github", "secret": "env:RIGHT" } } }
END
expect "the secret of another hook" secret "$T/b/right" --config "$T/conf.json"
like "... is named, not shown" '*env:RIGHT*' "$(cat "$T/b/json")"
check "... anywhere" eval '! grep -q the-right-secret "$T/b/json"'
for form in QUOTED SPACED HEX BASE64; do
	expect "the secret is written as $form" key-form "$T/b/right" --provider github --secret "env:$form"
done
expect "the secret lacks its prefix or has one too many" key-form "$T/b/right" --provider github --secret env:PREFIXED

# --- the signature ------------------------------------------------------------------------

http "$T/b/request" "$T/b/wide" "X-Hub-Signature-256: sha256=$(openssl dgst -sha256 -hmac "$RIGHT" -binary <"$T/b/wide" | base64)"
expect "base64 where hex is wanted" encoding "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/wide" "X-Hub-Signature-256: $(hmac sha256 "$RIGHT" "$T/b/wide")"
expect "the prefix is missing" prefix "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/wide" "X-Hub-Signature-256: sha256=$(hmac sha512 "$RIGHT" "$T/b/wide")"
expect "another algorithm" algorithm "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/wide" "$HEADER" "$HEADER"
expect "the header twice" doubled "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/wide" "$HEADER, ${HEADER#*: }"
expect "the header joined by a proxy" doubled "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/wide"
expect "no signature" absent "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/wide" "X_Hub_Signature_256: sha256=$(hmac sha256 "$RIGHT" "$T/b/wide")"
is "a name with underscores, which nginx drops: holds by itself" none "$(explain "$T/b/request" "${GITHUB[@]}")"
http "$T/b/request" "$T/b/wide" "Stripe-Signature: t=1700000000,v1=ab"
expect "a request of another provider" provider "$T/b/request" "${GITHUB[@]}"
like "... which is named" '*stripe*' "$(cat "$T/b/json")"

# --- the body -----------------------------------------------------------------------------

# body WHAT FILE: FILE is what arrived of what was signed
body() {
	http "$T/b/request" "$2" "$HEADER"
	expect "$1" body "$T/b/request" "${GITHUB[@]}"
}
node=$(command -v node || :)
HEADER="X-Hub-Signature-256: sha256=$(hmac sha256 "$RIGHT" "$T/b/compact")"
sed 's/,/, /g; s/:/: /g' "$T/b/compact" >"$T/b/arrived"
body "JSON written anew with spaces" "$T/b/arrived"
{ cat "$T/b/compact"; echo; } >"$T/b/arrived"
body "a line's end that was added" "$T/b/arrived"
{ printf '\357\273\277'; cat "$T/b/compact"; } >"$T/b/arrived"
body "a byte order mark that was added" "$T/b/arrived"
base64 -w 0 "$T/b/compact" >"$T/b/arrived"
body "a gateway's base64" "$T/b/arrived"
sed 's#a/b#a\\/b#' "$T/b/compact" >"$T/b/arrived"
body "slashes that were escaped" "$T/b/arrived"
sed 's/\xc3\xbc/\\u00fc/; s/\xc3\x9f/\\u00df/' "$T/b/compact" >"$T/b/arrived"
body "letters that were escaped" "$T/b/arrived"
sed 's/&/\\u0026/; s/</\\u003c/; s/>/\\u003e/' "$T/b/compact" >"$T/b/signed"
HEADER="X-Hub-Signature-256: sha256=$(hmac sha256 "$RIGHT" "$T/b/signed")"
body "what Go escapes, that was unescaped" "$T/b/compact"
if [ -n "$node" ]; then
	node -e 'const b = require("fs").readFileSync(0, "utf8");
	    process.stdout.write(JSON.stringify(JSON.parse(b), null, 2))' <"$T/b/compact" >"$T/b/signed"
	HEADER="X-Hub-Signature-256: sha256=$(hmac sha256 "$RIGHT" "$T/b/signed")"
	body "JSON that was indented by JSON.stringify" "$T/b/compact"
else
	skip "JSON that was indented by JSON.stringify" "there is no node"
fi
sed 's/,/, /g; s/:/: /g; s/\xc3\xbc/\\u00fc/; s/\xc3\x9f/\\u00df/' "$T/b/compact" >"$T/b/signed"
HEADER="X-Hub-Signature-256: sha256=$(hmac sha256 "$RIGHT" "$T/b/signed")"
body "JSON as Python writes it" "$T/b/compact"
: >"$T/b/arrived"
HEADER="X-Hub-Signature-256: sha256=$(hmac sha256 "$RIGHT" "$T/b/compact")"
http "$T/b/request" "$T/b/compact" "$HEADER"
head -c -10 "$T/b/request" >"$T/b/cut"
is "a file that is not whole" incomplete "$(explain "$T/b/cut" "${GITHUB[@]}")"

# Two things at once.
sed 's/,/, /g; s/:/: /g' "$T/b/compact" >"$T/b/arrived"
http "$T/b/request" "$T/b/arrived" "X-Hub-Signature-256: $(hmac sha256 "$RIGHT" "$T/b/compact")"
expect "a body written anew, and no prefix" "prefix body" "$T/b/request" "${GITHUB[@]}"
http "$T/b/request" "$T/b/arrived" "$HEADER"
expect "a body written anew, and a secret in quotes" "key-form body" "$T/b/request" --provider github --secret env:QUOTED

# --- clock and URL ------------------------------------------------------------------------

"$H" sign stripe --secret env:RIGHT --age 3600 --json >"$T/b/request"
expect "an old request" clock "$T/b/request" --provider stripe --secret env:RIGHT
like "... says how old" '*signed 3600 s before*' "$(cat "$T/b/json")"
is "at the time when it was signed it holds" none "$(explain "$T/b/request" --provider stripe --secret env:RIGHT --at 1h)"
"$H" sign stripe --secret env:RIGHT --age -3600 --json >"$T/b/request"
expect "a clock that is slow" clock "$T/b/request" --provider stripe --secret env:RIGHT
# square URL-THAT-IS-SIGNED: the hook's is $URL
square() {
	http "$T/b/request" "$T/b/compact" "x-square-hmacsha256-signature: $({ printf '%s?a=1' "$1"
	    cat "$T/b/compact"; } | openssl dgst -sha256 -hmac "$RIGHT" -binary | base64)"
}
square "$URL"
is "a signed URL" none "$(explain "$T/b/request" --provider square --secret env:RIGHT --param "url=$URL")"
for url in http://hook.example/hook https://hook.example/hook/ https://hook.example:443/hook; do
	square "$url"
	expect "the URL $url" url "$T/b/request" --provider square --secret env:RIGHT --param "url=$URL"
	like "... is said" "*$url*" "$(cat "$T/b/json")"
done

# --- what is none of it -------------------------------------------------------------------

http "$T/b/request" "$T/b/compact" "X-Hub-Signature-256: sha256=$(printf '%064d' 0)"
is "a forgery: nothing is found" none "$(explain "$T/b/request" "${GITHUB[@]}")"
is "... and the status says so" 65 "$("$H" explain "$T/b/request" "${GITHUB[@]}" >/dev/null 2>&1; echo $?)"
sed 's/e1/e2/' "$T/b/compact" >"$T/b/arrived"
http "$T/b/request" "$T/b/arrived" "$HEADER"
is "another body than any that was signed: nothing is found" none "$(explain "$T/b/request" "${GITHUB[@]}")"
printf 'no request' >"$T/b/request"
is "a file that is no request" 65 "$("$H" explain "$T/b/request" "${GITHUB[@]}" >/dev/null 2>&1; echo $?)"
is "a file that is not there" 66 "$("$H" explain "$T/b/nothing" "${GITHUB[@]}" >/dev/null 2>&1; echo $?)"

# For people.
http "$T/b/request" "$T/b/arrived" "X-Hub-Signature-256: sha256=$(hmac sha256 "$OTHER" "$T/b/arrived")"
sed -i 's/env:OTHER/env:QUOTED/; s/env:RIGHT/env:OTHER/' "$T/conf.json"
like "for people it is sentences" '*secret: it is signed with another secret: env:OTHER*put this secret*' \
    "$("$H" explain "$T/b/request" --config "$T/conf.json")"

[ "$FAILED" -eq 0 ] || tail -n 3 "$T/b/err"
finish explain
