#!/usr/bin/env bash
# tests/claim.sh - "claim_check": what is larger than an engine's message may be lies in
# a bucket, exactly, before it is acknowledged; whatever the bucket does.
#
# NATS, whose messages are at most 1 MB, and Redis, of 8; the bucket is
# tests/tool/bucket.js.

. "$(dirname "$0")/lib.sh"
. tests/load.sh
. tests/emulator.sh

SECRETS='"claim_check_token": "env:BUCKET_TOKEN",'
export BUCKET_TOKEN=b-u-c-k-e-t
programs
free_port
BUCKET=$PORT
free_port
# shellcheck disable=SC2034 # the engines' files read it
ENGINE_PORT=$PORT
PORT=0
dir "$T/engine"
mkdir "$T/bucket"
# shellcheck source=/dev/null
. tests/engine-nats.sh

missing=$(engine_missing)
if [ -n "$missing" ]; then
	skip "all of claim" "$missing"
	finish claim
fi
start bucket node tests/tool/bucket.js "$BUCKET" "$T/bucket"
check "the bucket starts" within 20 grep -q ready "$T/log/bucket"
check "NATS starts" engine_start

bucket() { # [JSON]
	curl -s --max-time 10 ${1:+-d "$1"} "http://127.0.0.1:$BUCKET/fake"
}

# conf [KEY-VALUES]
conf() {
	serve_conf <<-END
	{
		"inbox": "$(engine_url)", $DURABILITY ${1:-}
		"courier": "unix:@T@/inbox/courier.sock",
		"limits": { "deadline": "2s", "body": "26m" },
		"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET" } }
	}
	END
}
WITH="\"claim_check\": \"http://127.0.0.1:$BUCKET/bodies/hooks/\","

# large FILE LETTER [BYTES]: a body of 3 MB
large() {
	{
		printf '{"large":"'
		head -c "${3:-3000000}" /dev/zero | tr '\0' "$2"
		printf '"}'
	} >"$1"
}
large "$T/large" x
printf '{"small":1}' >"$T/small"

# claim ID WORD: of the claim of that event's message
claim() {
	engine_json "$1" | jq -r ".claim.$2"
}
objects() {
	find "$T/bucket" -type f | wc -l
}
stored() {
	engine_ids | grep -cx "$1" || :
}

# --- without, and with ------------------------------------------------------------------

conf
check "serve starts without a bucket" serve_start
is "there it is 413" 413 "$(push without "$T/large")"
is "and nothing of it is there" 0 "$(stored without)"
check "it stops" serve_stop

conf "$WITH $SECRETS"
bucket '{"token":"b-u-c-k-e-t"}' >/dev/null
check "serve starts with one" serve_start
is "a small event is answered 200" 200 "$(push small "$T/small")"
is "and does not go there" 0 "$(objects)"
is "its message says nothing of a bucket" null "$(claim small url)"
is "a large one is answered 200" 200 "$(push large "$T/large")"
url=$(claim large url)
sha=$(sha256sum <"$T/large" | cut -d' ' -f1)
like "its message says where it lies" "http://127.0.0.1:$BUCKET/bodies/hooks/$sha-????????????????" "$url"
is "its digest" "$sha" "$(claim large sha256)"
is "and its length" "$(stat -c %s "$T/large")" "$(claim large size)"
is "the message's body is the same, for who does not look at the line" \
    "$(engine_json large | jq -c '{claim}')" "$(engine_body large)"
check "there it lies, byte for byte" cmp -s "$T/large" <(curl -s "$url")
like "the line has its headers as ever" '*"headers":\[*"x-github-delivery","large"*' "$(engine_json large)"
is "and its size" "$(stat -c %s "$T/large")" "$(engine_json large | jq .size)"
is "a repeat is answered 200" 200 "$(push large "$T/large")"
is "is one message" 1 "$(stored large)"
is "and one object" 1 "$(objects)"
large "$T/other" y
is "other bytes under the same id: 200" 200 "$(push large "$T/other")"
is "are another object" 2 "$(objects)"
is "the same bytes under another id: 200" 200 "$(push large-2 "$T/large")"
is "too: nobody's end takes another's away" 3 "$(objects)"
is "health is 200" 200 "$(health)"

# --- what a bucket can do ----------------------------------------------------------------

# fault FAULT ID: 503, then the provider's next try
fault() {
	large "$T/fault" "${2: -1}"
	bucket "{\"faults\":[$1]}" >/dev/null
	is "the bucket does $1: 503" 503 "$(push "$2" "$T/fault")"
	is "nothing is in the engine" 0 "$(stored "$2")"
	is "small ones go on" 200 "$(push "$2-small" "$T/small")"
	bucket '{"faults":[]}' >/dev/null	# it may have met one of two
	is "the next try is answered 200" 200 "$(push "$2" "$T/fault")"
	is "and is there, once" 1 "$(stored "$2")"
	check "byte for byte" cmp -s "$T/fault" <(curl -s "$(claim "$2" url)")
}
n=$(objects)
fault 503 f-a
fault 429 f-b
fault '"reset","reset"' f-c	# on a kept connection the first is tried again
fault '"late","late"' f-d
fault '"silent"' f-e
fault 302 f-f
is "each is one object, also what was kept and not answered" $((n + 6)) "$(objects)"
bucket '{"faults":[413]}' >/dev/null
is "one that is too large for the bucket: 413" 413 "$(push too-large "$T/large")"
bucket '{"token":"other"}' >/dev/null
is "a bucket that does not know us: 503" 503 "$(push stranger "$T/large")"
check "and the log says what to do" grep -q "127.0.0.1:$BUCKET answered 401.*create objects" "$T/log/serve"
bucket '{"token":"b-u-c-k-e-t"}' >/dev/null
stop bucket KILL || :
is "a bucket that is away: 503" 503 "$(push away "$T/large")"
is "health is 200: small ones are taken" 200 "$(health)"
start bucket node tests/tool/bucket.js "$BUCKET" "$T/bucket"
within 20 eval "[ \"\$(grep -c ready '$T/log/bucket')\" = 2 ]" || broken "the bucket starts again"
is "it is back: 200" 200 "$(push away "$T/large")"
engine_kill
is "the engine is away: 503" 503 "$(push engine-away "$T/large")"
check "it starts again" engine_start
check "and all is well by itself" within 30 healthy
is "then 200" 200 "$(push engine-away "$T/large")"

# Many at once, with one of many refused
bucket '{"faults":[503]}' >/dev/null
for ((i = 0; i < 24; i++)); do
	push "many-$i" "$T/large" >"$T/status$i" &
	pids[i]=$!
done
for ((i = 0; i < 24; i++)); do
	wait "${pids[i]}" || :
done
is "24 at once: one is refused, for the one fault" "23 200 1 503" \
    "$(for ((i = 0; i < 24; i++)); do echo "$(<"$T/status$i")"; done | sort | uniq -c | xargs)"
is "and the others are there" 23 "$(engine_ids | grep -c '^many-' || :)"
is "no token is in the log" "" "$(grep -lF b-u-c-k-e-t "$T/log/serve" || :)"
check "serve stops" serve_stop

# Is this a test that could fail?
variant build unanswered hooklatch-courier TEST_UNANSWERED_IS_STORED
cp "$T/bin/hooklatch-courier" "$T/true-courier"
cp build/unanswered/hooklatch-courier "$T/bin/hooklatch-courier"
check "serve starts with a courier that believes what was not said" serve_start
large "$T/fault" z
bucket '{"faults":[503]}' >/dev/null
is "it answers 200" 200 "$(push believed "$T/fault")"
is "and nothing lies where the message says" 404 \
    "$(curl -s -o /dev/null -w '%{http_code}' "$(claim believed url)")"
check "it stops" serve_stop
cp "$T/true-courier" "$T/bin/hooklatch-courier"

# --- Google's ------------------------------------------------------------------------------

bucket '{"token":"metadata"}' >/dev/null
conf "$WITH \"claim_check_token\": \"google\","
export GCE_METADATA_HOST=127.0.0.1:$BUCKET
check "serve starts with a token of Google's" serve_start
large "$T/google" g
is "an event is answered 200" 200 "$(push google "$T/google")"
check "and lies there, byte for byte" cmp -s "$T/google" <(curl -s "$(claim google url)")
is "it is put on the condition that it is not there" 0 \
    "$(bucket | jq -r '.headers["x-goog-if-generation-match"]')"
is "what is there is success" 200 "$(push google "$T/google")"
bucket '{"token":"metadata","revoke":true}' >/dev/null
large "$T/google" h
is "a token that was revoked is replaced, and nobody hears of it" 200 "$(push google-2 "$T/google")"
is "two were asked for in all" 2 "$(bucket | jq .tokens)"
check "it stops" serve_stop
unset GCE_METADATA_HOST
bucket '{"token":null}' >/dev/null
engine_kill

# --- Redis -----------------------------------------------------------------------------------

DURABILITY=''
rm -rf "$T/engine"
dir "$T/engine"
# shellcheck source=/dev/null
. tests/engine-redis.sh
missing=$(engine_missing)
if [ -n "$missing" ]; then
	skip "claims with Redis" "$missing"
else
	check "Redis starts" engine_start
	large "$T/google" r 9000000
	conf "$WITH"
	check "serve starts" serve_start
	is "a large event is answered 200" 200 "$(push redis "$T/google")"
	check "and lies there, byte for byte" cmp -s "$T/google" <(curl -s "$(claim redis url)")
	check "serve stops" serve_stop
fi

# --- Pub/Sub ---------------------------------------------------------------------------------

# Its attributes say that it is one, as a body may look like one.
missing=$(emulator_missing)
if [ -n "$missing" ]; then
	skip "claims with Pub/Sub" "$missing"
else
	free_port
	export PUBSUB_EMULATOR_HOST=127.0.0.1:$PORT
	emulator_start "$PORT"
	check "Google's emulator starts" within 40 emulator "$PORT" PUT /v1/projects/acme/topics/hooks '{}'
	emulator "$PORT" PUT /v1/projects/acme/subscriptions/all '{"topic":"projects/acme/topics/hooks"}' >"$T/log/topic"
	AT=$PORT PORT=0
	pulled() {
		emulator "$AT" POST /v1/projects/acme/subscriptions/all:pull '{"maxMessages":10}' >"$T/pulled"
		[ "$(jq '.receivedMessages | length' "$T/pulled")" = 2 ]
	}
	engine_url() {
		echo "pubsub:projects/acme/topics/hooks"
	}
	large "$T/google" p 10000000
	conf "$WITH"
	check "serve starts" serve_start
	is "a large event is answered 200" 200 "$(push pubsub "$T/google")"
	printf '{"claim":{"url":"http://127.0.0.1/"}}' >"$T/looks"
	is "one that looks like a claim, too" 200 "$(push looks "$T/looks")"
	# claimed ID WORD: of the claim of that event's message
	claimed() {
		jq -r --arg id "$1" '.receivedMessages[].message
		    | select(.attributes["hooklatch-event-id"] == $id and .attributes["hooklatch-claim"] == "data")
		    | .data | @base64d | fromjson | .claim.'"$2" "$T/pulled"
	}
	check "both messages come" within 10 pulled
	check "and lies there, byte for byte" cmp -s "$T/google" <(curl -s "$(claimed pubsub url)")
	is "what looks like a claim is none" "" "$(claimed looks url)"
	check "serve stops" serve_stop
fi

[ "$FAILED" -eq 0 ] || why serve bucket
finish claim
