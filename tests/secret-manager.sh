#!/usr/bin/env bash
# tests/secret-manager.sh - "gcp:" secrets: the courier fetches those of both halves, at
# the start and at SIGHUP; what cannot be had replaces nothing and is said; a worker
# hears no secret but those of hooks.  tests/tool/google.js has the fake, which Google's
# own client proves in tests/google.sh.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages secret-manager

# shellcheck source=tests/lib.sh
. tests/lib.sh
. tests/load.sh

programs
mkdir "$T/fake"
quietly openssl openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/fake/key.pem"
free_port
FAKE=$PORT
free_port
start fake node tests/tool/google.js fake "$T/fake" "$FAKE"
within 10 grep -q ready "$T/log/fake" || broken "the fake starts"
chmod 644 "$T/fake/account.json"	# the courier is another user
export GOOGLE_APPLICATION_CREDENTIALS=$T/fake/account.json
printf '{"ref":"refs/heads/main"}' >"$T/body"

fake() {	# PATH [BODY]
	curl -s --max-time 10 ${2:+-d "$2"} "http://127.0.0.1:$FAKE$1"
}
asked() {
	fake /seen | jq -r --arg n "$1" '.asked[$n] // 0'
}

# keeps VERSIONS: of the hook's secret, as JSON
keeps() {
	fake /secrets "{ \"projects/p/secrets/hook\": $1, \"projects/p/locations/l/secrets/own\": [\"OWN-VALUE\\n\"] }" >/dev/null
}

# conf [INBOX [SECRET]]
conf() {
	serve_conf <<END
{
	"inbox": "${1:-sqlite:@T@/inbox/inbox.db}",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"secret_manager": "http://127.0.0.1:$FAKE/",
	"hooks": { "/hooks/github": { "provider": "github", "secret": ${2:-[\"gcp:projects/p/secrets/hook\", \"gcp:projects/p/secrets/hook/versions/1\"]}
	    ${3:-, \"deliver\": \"own\"} } },
	"destinations": { "own": { "exec": ["/bin/sh", "-c", "printf %s \"\$KEY\" >@T@/inbox/got"],
	    "environment": { "KEY": "gcp:projects/p/locations/l/secrets/own" } } }
}
END
}

try() {	# SECRET: the answer to an event that it signs
	push "$(uuid)" "$T/body" /hooks/github "$1"
}

said() {	# TIMES TEXT
	[ "$(grep -cF "$2" "$T/log/serve")" -ge "$1" ]
}

# --- a start, whatever goes wrong on the way ------------------------------------------

keeps '["FIRST-VALUE", "SECOND-VALUE"]'
conf
out=$("$T/bin/hooklatch" check --config "$T/hooklatch.json" 2>&1) || broken "check is content"
like "check says what is asked where" "*gcp:projects/p/secrets/hook: the courier asks 127.0.0.1:$FAKE for it*" "$out"
like "of the courier's half too" "*gcp:projects/p/locations/l/secrets/own: the courier asks*" "$out"
is "and asks nobody" 0 "$(asked secret)"
like "sign says where the secret is" "*--secret env:NAME*" \
    "$("$T/bin/hooklatch" sign --hook /hooks/github --config "$T/hooklatch.json" <"$T/body" 2>&1 || :)"

fake /reset '{"secret":["429","401","reset","html"],"crc":[true],"token":["503"]}' >/dev/null
check "serve starts" serve_start
for fault in 429 401 reset html; do
	is "the fault $fault was met" 1 "$(asked "secret $fault")"
done
is "as was a wrong checksum" 1 "$(asked crc)"
is "the last version proves" 200 "$(try SECOND-VALUE)"
is "the first too" 200 "$(try FIRST-VALUE)"
is "another does not" 401 "$(try THIRD-VALUE)"
check "a program has its own, without the newline" within 10 grep -qx OWN-VALUE "$T/inbox/got"

# --- a rotation, and reloads that fail --------------------------------------------------

keeps '["FIRST-VALUE", "SECOND-VALUE", "THIRD-VALUE"]'
is "a new version is not known by itself" 401 "$(try THIRD-VALUE)"
kill -HUP "${PID[serve]}"
check "a reload has it" within 10 said 1 "reloaded, generation 2"
is "it proves" 200 "$(try THIRD-VALUE)"
is "the one before does not" 401 "$(try SECOND-VALUE)"

# refused WHAT SENTENCE: a reload that the master refuses
refusals=0
refused() {
	refusals=$((refusals + 1))
	kill -HUP "${PID[serve]}"
	check "$1: a reload is refused" within 15 said "$refusals" '"hooklatch.fcgi","message":"reload refused'
	check "$1: and says why" grep -qF "$2" "$T/log/serve"
	is "$1: what was good stays" 200 "$(try THIRD-VALUE)"
}
many() {
	printf '["%s"%s]' "$1" "$(printf ',"'"$1"'"%.0s' {1..60})"
}
fake /reset "{\"secret\":$(many 403)}" >/dev/null
refused "no role" "127.0.0.1:$FAKE answered 403 (PERMISSION_DENIED): give the courier's account the role roles/secretmanager.secretAccessor on it"
fake /reset >/dev/null
keeps '[]'
refused "no secret" 'answered 404 (NOT_FOUND): there is no such secret, or no such version of it'
keeps '[null]'
refused "a version that is shut" 'answered 400 (FAILED_PRECONDITION): is the version enabled?'
keeps '[""]'
refused "an empty one" ': it is empty'
keeps '["FIRST-VALUE", "SECOND-VALUE", "THIRD-VALUE", "FOURTH-VALUE"]'
fake /reset "{\"crc\":$(many x)}" >/dev/null
refused "a wrong checksum" 'answered is damaged: its CRC-32C is another'
fake /reset "{\"secret\":$(many 503)}" >/dev/null
kill -HUP "${PID[serve]}"
within 10 eval '[ "$(asked "secret 503")" -ge 2 ]' || broken "a reload tries again"
is "while it does, events are taken" 200 "$(try THIRD-VALUE)"
is "and nothing was decided" "$refusals" "$(grep -c 'fcgi","message":"reload refused' "$T/log/serve")"
check "the courier refuses what it cannot have, too" grep -q 'courier","message":"reload refused.*secrets/own.*403' "$T/log/serve"
fake /reset >/dev/null
check "when there are secrets again it goes on" within 15 said 1 "reloaded, generation 3"
is "with the newest" 200 "$(try FOURTH-VALUE)"

# --- what a worker may ask for ------------------------------------------------------------

want() {
	timeout 20 node tests/tool/google.js want "$T/inbox/courier.sock" "$1" 2>>"$T/log/want" || :
}
is "a worker has a hook's secret" "secret: FOURTH-VALUE" "$(want gcp:projects/p/secrets/hook)"
like "not one of the courier's" "refused 6: *no hook of the configuration names it*" \
    "$(want gcp:projects/p/locations/l/secrets/own)"
like "nor another" "refused 6: *" "$(want gcp:projects/other/secrets/hook)"
like "nor what is no secret" "refused 6: *" "$(want gcp:projects/p/secrets/../../x)"
check "no secret and no token is in the log" test "$(grep -cE 'VALUE|ya29|PRIVATE' "$T/log/serve")" = 0
check "serve stops" serve_stop

# --- starts that fail, and one without an inbox ---------------------------------------------

fake /reset "{\"secret\":$(many 403)}" >/dev/null
RUNTIME_DIRECTORY=$T/run start serve "$T/bin/hooklatch" serve --config "$T/hooklatch.json" --listen "127.0.0.1:$PORT"
check "a start without its secrets is none" within 20 gone "${PID[serve]}"
unset "PID[serve]"
check "and says which, and why" grep -q '"hooklatch-courier","message":"the secret .*secrets/.*403' "$T/log/serve"
fake /reset >/dev/null
# More than are asked for at once, and than wait in the courier.
keeps "[$(printf '"%s-VALUE",' {1..299})\"300-VALUE\"]"
conf none "[$(printf '"gcp:projects/p/secrets/hook/versions/%s",' {1..299})\"gcp:projects/p/secrets/hook\"]" ' '
check "serve starts without an inbox, with three hundred secrets" serve_start
is "and has the last" 200 "$(try 300-VALUE)"
is "and the first" 200 "$(try 1-VALUE)"
keeps '["FIRST-VALUE", "SECOND-VALUE", "THIRD-VALUE", "FOURTH-VALUE"]'
check "serve stops again" serve_stop

# --- could it fail? ---------------------------------------------------------------------------

variant "$BUILD" credulous hooklatch-courier TEST_NO_CHECKSUM TEST_ANY_SECRET
cp "$BUILD/credulous/hooklatch-courier" "$T/bin/hooklatch-courier"
conf
fake /reset "{\"crc\":$(many x)}" >/dev/null
check "without its guards a courier takes what is damaged" serve_start
like "and tells a worker what is not its own" "secret: OWN-VALUE*" \
    "$(want gcp:projects/p/locations/l/secrets/own)"
check "serve stops at last" serve_stop

[ "$FAILED" -eq 0 ] || why serve fake
finish secret-manager
