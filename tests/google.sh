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
variant "$BUILD" forgetful "tests/poster hooklatch-courier" \
    TEST_TOKENS_NOT_KEPT TEST_NO_SECOND_TOKEN TEST_STATUS_ALONE TEST_NO_COUNT_OF_BEFORE
is "without its guards each attempt asks for a token, and a 401 is the outcome" \
    "assertions 2 after 401 later 401" \
    "$(timeout 60 node tests/tool/google.js unguarded "$BUILD/forgetful/tests/poster" "$T/fake" 2>>"$T/log/google" | xargs)"

# --- all the way: a hook, the inbox, the courier, the services -----------------------

programs
free_port
FAKE=$PORT
free_port
start fake node tests/tool/google.js fake "$T/fake" "$FAKE"
within 10 grep -q ready "$T/log/fake" || broken "the fakes start"
printf '{"ref":"refs/heads/main","repository":{"id":17},"text":"say \\"hi\\""}' >"$T/body"

conf() {
	local at="\"endpoint\": \"http://127.0.0.1:$FAKE\", \"timeout\": \"1s\",
	    \"retry\": { \"first\": \"20ms\", \"most\": \"100ms\" }"
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"hooks": {
		"/hooks/all": { "provider": "github", "secret": "plain:$SECRET",
		    "deliver": ["pubsub", "tasks", "bigquery", "fcm", "run"] },
		"/hooks/many": { "provider": "github", "secret": "plain:$SECRET", "deliver": ["many", "rows"] },
		"/hooks/dead": { "provider": "github", "secret": "plain:$SECRET", "deliver": ["bigquery", "gone"] },
		"/hooks/pubsub": { "provider": "github", "secret": "plain:$SECRET", "deliver": "pubsub" }
	},
	"destinations": {
		"pubsub": { "service": "pubsub", "topic": "projects/p/topics/t", "ordering_key": "{body:repository.id}", $at },
		"many": { "service": "pubsub", "topic": "projects/p/topics/t", "ordering_key": "{type}", "concurrency": 1, $at },
		"rows": { "service": "bigquery", "table": "projects/p/datasets/d/tables/t", "concurrency": 1, $at },
		"tasks": { "service": "cloud-tasks", "queue": "projects/p/locations/l/queues/q", "url": "https://worker.example/work",
		    "service_account": "worker@p.iam.gserviceaccount.com", "credentials": "file:@T@/fake/account.json", $at },
		"bigquery": { "service": "bigquery", "table": "projects/p/datasets/d/tables/t", $at },
		"fcm": { "service": "fcm", "project": "projects/p", "to_topic": "builds", "title": "{type}", "text": "{body:text}", $at },
		"gone": { "service": "fcm", "project": "projects/p", "token": "gone", $at },
		"run": { "service": "cloud-run", "url": "http://127.0.0.1:$FAKE/run/{type}?id={event_id}", "timeout": "1s",
		    "retry": { "first": "20ms", "most": "100ms" } }
	}
}
END
}

fakes() {	# PATH [BODY]
	curl -s --max-time 10 ${2:+-d "$2"} "http://127.0.0.1:$FAKE$1"
}

# ended DESTINATION STATE TIMES: so often does the log say so
ended() {
	[ "$(grep -c "\"destination\":\"$1\",\"state\":\"$2\"" "$T/log/serve")" -ge "$3" ]
}

# how DESTINATION: codes of its attempts, in order
how() {
	grep -F "\"destination\":\"$1\"" "$T/log/serve" | sed -E 's/.*"state":"([a-z]*)".*/\1 &/; s/^([a-z]*) .*"code":([0-9]*).*/\1-\2/; s/^([a-z]*) .*/\1/' | xargs
}

asked() {
	fakes /seen | jq -r --arg n "$1" '.asked[$n] // 0'
}

# one SERVICE FILTER: of the last request to it, by jq
one() {
	fakes /seen | jq -c --arg s "$1" "[.seen[] | select(.service == \$s)] | last | $2"
}

export GOOGLE_APPLICATION_CREDENTIALS=$T/fake/account.json
conf
check "serve starts" serve_start
faults='"429","503","reset","401","slow"'
fakes /reset "{\"pubsub\":[$faults],\"tasks\":[$faults],\"bigquery\":[$faults],\"fcm\":[$faults],
    \"run\":[$faults],\"rows\":[\"stopped\"],\"lost\":[true],\"token\":[\"503\"]}" >/dev/null
is "an event for all is taken" 200 "$(push e-1 "$T/body" /hooks/all)"
for name in pubsub tasks bigquery fcm run; do
	check "$name has it in the end" within 40 ended "$name" "done" 1
	for fault in 429 503 reset 401 slow; do
		is "$name met the fault $fault" 1 "$(asked "$name $fault")"
	done
	is "$name: nobody came as a stranger" 0 "$(asked "$name stranger")"
done
# "later" is "waits"; a 401 is not an attempt of its own
like "Cloud Tasks: what was queued already is done" "*done-409" "$(how tasks)"
like "BigQuery: a partial error is not success" "*waits-200 done-200" "$(how bigquery)"
is "a token that could not be had was one" 1 "$(asked "token 503")"
between "tokens: at most one for each that is wanted, and one after each 401" 5 11 "$(asked assertion)"

is "Pub/Sub: the body is what came" "$(cat "$T/body")" "$(one pubsub '.body | fromjson | .messages[0].data' | jq -r . | base64 -d)"
is "its ordering key, its attributes" '["17","/hooks/all","github","push","e-1","application/json"]' \
    "$(one pubsub '.body | fromjson | .messages[0] | [.orderingKey, .attributes["hooklatch-hook"], .attributes["hooklatch-provider"],
	.attributes["hooklatch-type"], .attributes["hooklatch-event-id"], .attributes["content-type"]]')"
is "its scope" '"https://www.googleapis.com/auth/pubsub"' "$(one pubsub .facts.scope)"
is "Cloud Tasks: one task under one name" 1 \
    "$(fakes /seen | jq '[.seen[] | select(.service == "tasks") | .body | fromjson | .task.name] | unique | length')"
is "what it sends, and as whom" '["https://worker.example/work","application/json","worker@p.iam.gserviceaccount.com",null]' \
    "$(one tasks '.body | fromjson | .task.httpRequest | [.url, .headers["Content-Type"], .oidcToken.serviceAccountEmail, .oidcToken.audience]')"
is "BigQuery: the row" "[\"github\",\"push\",$(jq -Rs . <"$T/body")]" \
    "$(one bigquery '.body | fromjson | .rows[0].json | [.provider, .event_type, .body]')"
is "its insertId is the event's" true "$(one bigquery '.body | fromjson | .rows[0] | .insertId == .json.id')"
is "FCM: to whom, and what it says" '["builds",null,"push","say \"hi\""]' \
    "$(one fcm '.body | fromjson | .message | [.topic, .token, .notification.title, .notification.body]')"
is "Cloud Run: an ID token for the host, the body as it came" "[true,\"http://127.0.0.1:$FAKE\",\"/run/push?id=e-1\",true]" \
    "$(one run "[.facts.id, .facts.audience, .path, .body == $(jq -Rs . <"$T/body")]")"

fakes /reset '{"rows":["invalid"]}' >/dev/null
is "an event that none will take is taken" 200 "$(push e-2 "$T/body" /hooks/dead)"
check "BigQuery: a row that does not fit is dead" within 20 ended bigquery dead 1
check "FCM: a registration that is gone is dead" within 20 ended gone dead 1

# What is due at the same time goes together, and each event has its own outcome. How many requests that is, is a matter of
# how busy the machine is: fewer than there are events is all that can be asked.
# many ID TYPE...: an event for "many" and "rows" of each type
many() {
	local prefix=$1 n=0 type
	shift
	for type; do
		n=$((n + 1))
		curl -s -o /dev/null -w '%{http_code}\n' --max-time 20 -H "X-GitHub-Delivery: $prefix-$n" -H 'Content-Type: application/json' \
		    -H "X-GitHub-Event: $type" -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$T/body")" \
		    --data-binary "@$T/body" "http://127.0.0.1:$PORT/hooks/many"
	done | sort | uniq -c | xargs
}
destination() {
	quietly destinations "$T/bin/hooklatch" destinations "$@" --config "$T/hooklatch.json"
}
repeated() {	# TEXT TIMES
	for ((i = 0; i < $2; i++)); do printf '%s ' "$1"; done
}
hold() {
	destination pause many
	destination pause rows
}
let_go() {
	destination resume many
	destination resume rows
}
check "both are held back" hold
fakes /reset '{"pubsub":["429","drop"],"bigquery":["503"]}' >/dev/null
# shellcheck disable=SC2046 # words are what is meant
is "24 events of two types are taken" "24 200" "$(many m $(repeated "push ping" 12))"
check "both are let go" let_go
check "Pub/Sub has all of them" within 20 ended many "done" 24
check "and so has BigQuery" within 20 ended rows "done" 24
between "by fewer publishes" 2 23 "$(asked published)"
is "each once" 24 "$(fakes /seen | jq '[.stored[] | select(startswith("m-"))] | unique | length')"
is "none with two ordering keys" '["ping","push"]' \
    "$(fakes /seen | jq -c '[.seen[] | select(.service == "pubsub") | .body | fromjson | .messages[].orderingKey] | unique')"
between "by fewer requests of rows" 1 23 "$(asked bigquery)"
last=$(grep '"destination":"many","state":"done"' "$T/log/serve" | tail -n 1 | member id)
like "of the answer each keeps what is its own" '*"destination":"many"*"output":"[0-9]*"*' \
    "$(events show "$last" --json | grep -F '"many"' || :)"

hold
fakes /reset >/dev/null
# shellcheck disable=SC2046
is "more are taken" "8 200" "$(many good $(repeated push 8))"
is "and one among them that neither takes" 200 "$(push poison "$T/body" /hooks/many)"
is "and" 200 "$(push bad "$T/body" /hooks/many)"
# shellcheck disable=SC2046
is "and more" "8 200" "$(many fine $(repeated push 8))"
let_go
check "Pub/Sub has all others" within 20 ended many "done" 41
is "one is dead, alone" 1 "$(grep -c '"destination":"many","state":"dead"' "$T/log/serve")"
check "it was looked for in halves" test "$(asked poison)" -gt 1
check "BigQuery has all but its own" within 20 ended rows "done" 41
is "which is dead" 1 "$(grep -c '"destination":"rows","state":"dead"' "$T/log/serve")"
between "and cost them fewer requests than there are events" 2 16 "$(asked bigquery)"

# Attributes within limits, whatever comes
fakes /reset >/dev/null
long=$(printf 'x%.0s' {1..1003})ä$(printf 'y%.0s' {1..500})
is "a long type of content is taken" 200 "$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'X-GitHub-Delivery: e-3' \
    -H "Content-Type: application/json; x=$long" -H "X-GitHub-Event: push" \
    -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$T/body")" --data-binary "@$T/body" "http://127.0.0.1:$PORT/hooks/pubsub")"
check "and published" within 20 ended pubsub "done" 2
is "cut where a character ends" 1023 "$(one pubsub '.body | fromjson | .messages[0].attributes["content-type"] | utf8bytelength')"
check "no token and no key is in the log" test "$(grep -cE 'ya29|PRIVATE|eyJ' "$T/log/serve")" = 0
check "serve stops" serve_stop

# An emulator asks nobody who he is; without credentials it is the machine's metadata server.
unset GOOGLE_APPLICATION_CREDENTIALS
fakes /reset '{"emulator":true}' >/dev/null
serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true,
	"hooks": { "/hooks/pubsub": { "provider": "github", "secret": "plain:$SECRET", "deliver": ["pubsub", "run"] } },
	"destinations": {
		"pubsub": { "service": "pubsub", "topic": "projects/p/topics/t" },
		"run": { "service": "cloud-run", "url": "http://127.0.0.1:$FAKE/run/own", "audience": "https://own.example" }
	}
}
END
PUBSUB_EMULATOR_HOST=127.0.0.1:$FAKE GCE_METADATA_HOST=127.0.0.1:$FAKE check "serve starts with an emulator" serve_start
is "an event for it is taken" 200 "$(push e-4 "$T/body" /hooks/pubsub)"
check "the emulator has it" within 20 ended pubsub "done" 3
is "without a token" '[null,null]' "$(one pubsub '[.facts, .headers.authorization]')"
check "the machine's own token goes with the other" within 20 ended run "done" 2
is "it is an ID token for whom one says" '["metadata","https://own.example"]' "$(one run '[.facts.from, .facts.audience]')"
check "serve stops again" serve_stop

# --- X: a reply, signed by OAuth 1.0a, so many a day --------------------------------

conf_x() {	# PER_DAY
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true,
	"hooks": { "/hooks/x": { "provider": "github", "secret": "plain:$SECRET", "deliver": "reply" } },
	"destinations": { "reply": { "service": "x", "endpoint": "http://127.0.0.1:$FAKE", "reply_to": "{body:repository.id}",
	    "text": "Thank you! ({event_id})", "each_costs": "i know", "per_day": $1, "retry": { "first": "20ms", "most": "100ms" },
	    "oauth1": { "consumer_key": "plain:a consumer/key", "consumer_secret": "env:X_CONSUMER",
		"token": "plain:account-token", "token_secret": "file:@T@/x-token" } } }
}
END
}
# All of it on one day: not in the last minute of another.
within 90 eval '[ $(($(date +%s) % 86400)) -lt 86340 ]' || broken "a day begins"
export X_CONSUMER='CONSUMER&SECRET'
echo 'TOKEN+SECRET=' >"$T/x-token"
conf_x 4
fakes /reset '{"x":["limit","503"]}' >/dev/null
check "serve starts with a reply" serve_start
is "a post that is answered is taken" 200 "$(push x-1 "$T/body" /hooks/x)"
check "it is answered in the end" within 20 ended reply "done" 1
is "the faults were met" "1 1" "$(asked "x limit") $(asked "x 503")"
is "each was signed" 0 "$(asked "x stranger")"
is "what X was told" '{"text":"Thank you! (x-1)","reply":{"in_reply_to_tweet_id":"17"}}' "$(one x '.body | fromjson')"
check "when to come again is heeded" grep -q '"destination":"reply","state":"waits",.*answered 429 and asks to wait [12] s' "$T/log/serve"
fakes /reset '{"x":["403"]}' >/dev/null
is "another post is taken" 200 "$(push x-2 "$T/body" /hooks/x)"
check "a reply that X does not take is dead" within 10 ended reply dead 1
is "a third is taken" 200 "$(push x-3 "$T/body" /hooks/x)"
waiting() {	# N: so many deliveries
	[ "$("$T/bin/hooklatch" deliveries --to reply --state waits --json --config "$T/hooklatch.json" | grep -c '"state":"waits"')" = "$1" ]
}
check "it waits: four attempts were today's" within 10 waiting 1
check "and the log says so" within 10 grep -q "destination reply has made the attempts of today" "$T/log/serve"
check "serve stops with it" serve_stop
check "serve starts with it" serve_start
is "a fourth is taken" 200 "$(push x-4 "$T/body" /hooks/x)"
check "it waits too: the day's cap holds across a restart" within 10 waiting 2
conf_x 5
kill -HUP "${PID[serve]}"
check "with a higher cap one more goes" within 10 ended reply "done" 2
check "and one waits" within 10 waiting 1
check "no secret of the account's is in the log" test "$(grep -cE 'CONSUMER&|TOKEN\+|account-token' "$T/log/serve")" = 0
check "serve stops with the other" serve_stop

# Could it fail?  A courier that forgets what it did before its start, and goes by the status alone:
export GOOGLE_APPLICATION_CREDENTIALS=$T/fake/account.json
cp "$BUILD/forgetful/hooklatch-courier" "$T/bin/hooklatch-courier"
check "serve starts with a courier that forgets" serve_start
check "which answers what should wait" within 10 ended reply "done" 3
check "serve stops with that" serve_stop
conf
check "serve starts with that courier" serve_start
fakes /reset '{"rows":["invalid"]}' >/dev/null
is "an event is taken" 200 "$(push e-5 "$T/body" /hooks/dead)"
check "and BigQuery's refusal is taken for success" within 20 ended bigquery "done" 2
check "serve stops at last" serve_stop

[ "$FAILED" -eq 0 ] || why serve fake
finish google
