#!/usr/bin/env bash
# tests/pubsub.sh - a courier whose inbox is in Pub/Sub, against a fake of Google with
# faults (tests/tool/google.js): tokens, batches, what each answer counts for, limits.
# What the emulator shows is in tests/engines.sh.

. "$(dirname "$0")/lib.sh"
. tests/courier-lib.sh

if ! command -v node >/dev/null; then
	broken "node, which runs the fake of Google, is installed"
	finish pubsub
fi
courier_tools
SOCKET=$T/courier.sock
mkdir -p "$T/fake"
quietly openssl openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/fake/key.pem"
free_port
FAKE=$PORT
free_port
GRPC=$PORT
free_port
TLS=$PORT
quietly openssl openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/fake/tls.key" \
    -out "$T/fake/tls.pem" -days 2 -subj /CN=fake -addext 'subjectAltName=IP:127.0.0.1'
start fake node tests/tool/google.js fake "$T/fake" "$FAKE" "$GRPC" "$TLS"
within 10 grep -q ready "$T/log/fake" || broken "the fake starts"
export GOOGLE_APPLICATION_CREDENTIALS=$T/fake/account.json

fakes() {	# PATH [BODY]
	curl -s --max-time 10 ${2:+-d "$2"} "http://127.0.0.1:$FAKE$1"
}

asked() {
	fakes /seen | node -p 'const o = JSON.parse(fs.readFileSync(0)).asked; o[process.argv[1]] ?? 0' "$1"
}

# of EXPRESSION: of what the fake was asked to publish, last
of_last() {
	fakes /seen | node -p 'const s = JSON.parse(fs.readFileSync(0)).seen.filter((x) => x.service === "pubsub");
	    const last = s[s.length - 1], m = last && JSON.parse(last.body).messages; '"$1"
}

stored() {	# how many of those whose id begins so are there
	fakes /seen | node -p 'JSON.parse(fs.readFileSync(0)).stored.filter((i) => i.startsWith(process.argv[1])).length' "$1"
}

# conf [OPTIONS [KEY-VALUES]]: OPTIONS of the URL, behind its endpoint
conf() {
	cat >"$CONF" <<-END
	{
		"inbox": "pubsub:projects/p/topics/t?endpoint=http://127.0.0.1:$GRPC${1:-}", ${2:-}
		"courier": "unix:$SOCKET",
		"limits": { "deadline": "4s", "body": "26m" },
		"hooks": {}
	}
	END
	chmod 644 "$CONF"
}

courier() {
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	within 10 says '?*' || broken "the courier starts"
}

# says PATTERN: of its health
says() {
	# shellcheck disable=SC2053 # a pattern is what is meant
	[[ $(put_verb health 2>/dev/null) == $1 ]]
}

# Are these tests that could fail?
san=()
[[ $BUILD != *san* ]] || san=(SAN=1)
variant "$BUILD" forgetful "tests/poster hooklatch-courier" \
    TEST_TOKENS_NOT_KEPT TEST_NO_SECOND_TOKEN TEST_STATUS_ALONE TEST_NO_COUNT_OF_BEFORE
conf
mv "$T/bin/hooklatch-courier" "$T/true"
cp "$BUILD/forgetful/hooklatch-courier" "$T/bin/hooklatch-courier"
courier
fakes /reset '{"short":[true]}' >/dev/null
like "a courier that goes by the status alone takes an answer without an id for all" 'stored *' "$(put -e short)"
fakes /reset '{"pubsub":["401"]}' >/dev/null
like "and without a second token a 401 is the end" 'refused *' "$(put -e one-token || :)"
stop courier || broken "the courier stops"
mv "$T/true" "$T/bin/hooklatch-courier"

fakes /reset >/dev/null
courier
check "with the topic there all is well" within 10 says 'stored*'
like "an event is stored" 'stored *' "$(put -e one)"
is "with a token for Pub/Sub" '{"from":"key","scope":"https://www.googleapis.com/auth/pubsub"}' \
    "$(of_last 'JSON.stringify(last.facts)')"
is "its attributes" 'one /hooks/test test push application/json ' \
    "$(of_last 'const a = m[0].attributes; [a["hooklatch-event-id"], a["hooklatch-hook"], a["hooklatch-provider"],
	a["hooklatch-type"], a["content-type"], a["content-encoding"]].join(" ")')"
is "its line of JSON says the same id" true \
    "$(of_last 'JSON.parse(m[0].attributes["hooklatch-json-01"]).id === m[0].attributes["hooklatch-event"]')"

# --- what each answer counts for -------------------------------------------------------

for fault in 401 429 503 500 reset drop html; do
	fakes /reset "{\"pubsub\":[\"$fault\"]}" >/dev/null
	like "$fault, then ok: stored" 'stored *' "$(put -e "f-$fault")"
	is "by a second request" "1 2" "$(asked "pubsub $fault") $(asked pubsub)"
done
fakes /reset '{"pubsub":["401","401"]}' >/dev/null
like "a second 401 is not asked a third time" 'refused *' "$(put -e twice || :)"
is "so it is" 2 "$(asked "pubsub 401")"
check "and it goes on by itself" within 10 says 'stored*'
fakes /reset '{"pubsub":["429","503","drop","429"]}' >/dev/null
like "one after the other, while there is patience" 'stored *' "$(put -e patient)"
fakes /reset '{"pubsub":["slow"]}' >/dev/null
like "no answer in time: refused" 'refused *did not acknowledge*' "$(put -e slow || :)"
check "and it goes on by itself when it answers" within 10 says 'stored*'
fakes /reset '{"short":[true]}' >/dev/null
like "an answer without an id for each: refused" 'refused *' "$(put -e short || :)"
check "and it goes on" within 10 says 'stored*'

# A process that was stopped, as on Cloud Run, while its connections ended.
fakes /reset >/dev/null
put -e before >/dev/null
kill -STOP "${PID[courier]}"
fakes /close >/dev/null
kill -CONT "${PID[courier]}"
like "a kept connection that has died in its sleep: nobody hears of it" 'stored *' "$(put -e after)"

# --- batches ------------------------------------------------------------------------------

fakes /reset >/dev/null
is "500 events are stored" 500 "$(put -n 500 -w 500 -e 'b-%' | grep -c '^stored')"
is "each once" 500 "$(stored b-)"
between "by far fewer requests" 1 250 "$(asked published)"
{
	put -n 150 -w 150 -e 'p-%' >"$T/out.many" &
	put -e poison >"$T/out.poison" || :
	put -e after-poison >"$T/out.after"
	wait
}
like "one that Pub/Sub does not take is refused" 'refused * Pub/Sub does not take it' "$(cat "$T/out.poison")"
is "all others are stored" "150 stored" "$(grep -c '^stored' "$T/out.many") $(cut -d' ' -f1 "$T/out.after")"
check "and why is logged" grep -q 'an event was answered 400: poison' "$T/log/courier"
# In one batch with others: only halves find it.
fakes /reset '{"pubsub":["429"]}' >/dev/null
put -n 40 -w 40 -e 'h-%' >"$T/out.many" &
put -n 3 -w 3 -e poison >"$T/out.poison" || :
wait %%
is "also where it travels with others" "40 3" "$(grep -c '^stored' "$T/out.many") $(grep -c '^refused' "$T/out.poison")"
is "which are there" 40 "$(stored h-)"

# Twelve events of 1.5 MB are more than a request holds.
head -c 1500000 /dev/zero | tr '\0' x >"$T/long"
fakes /reset >/dev/null
is "twelve long ones" 12 "$(put -n 12 -w 12 -f "$T/long" -e 'l-%' | grep -c '^stored')"
is "are there" 12 "$(stored l-)"
head -c 9990000 /dev/zero | tr '\0' x >"$T/long"
like "one over the limit of a request is refused before" 'refused * larger *' "$(put -f "$T/long" -e too-long || :)"
is "and nothing of it is sent" 0 "$(stored too-long)"

# --- attributes ------------------------------------------------------------------------------

put -H 30 -e many >/dev/null
is "30 KB of headers are all there, in attributes within limits" "33 true" \
    "$(of_last 'const a = m[0].attributes, line = Object.keys(a).filter((n) => /json/.test(n)).sort().map((n) => a[n]).join("");
	[JSON.parse(line).headers.length, Object.values(a).every((v) => Buffer.byteLength(v) <= 1024)].join(" ")')"
put -H 100 -e more >/dev/null
is "of more headers than fit it says that they are not there" "headers 0 more" \
    "$(of_last 'const a = m[0].attributes; [a["hooklatch-dropped"], JSON.parse(a["hooklatch-json-01"]).headers.length,
	a["hooklatch-event-id"]].join(" ")')"

# --- the topic, the rights ----------------------------------------------------------------------

stop courier || broken "the courier stops"
fakes /reset '{"forbidden":true}' >/dev/null
courier
check "who may not publish is told what he needs" within 5 says 'refused 1 *may not publish*roles/pubsub.publisher*'
fakes /reset >/dev/null
check "and when he may, all is well by itself" within 5 says 'stored*'
is "it was asked about in the topic's name" /v1/projects/p/topics/t:testIamPermissions \
    "$(fakes /seen | node -p 'JSON.parse(fs.readFileSync(0)).seen.find((s) => s.service === "iam").path')"
stop courier || broken "the courier stops"
fakes /reset '{"unknown":true}' >/dev/null
courier
check "where nobody knows of rights the topic is looked at" within 5 says 'stored*'
stop courier || broken "the courier stops"
fakes /reset '{"unknown":"gone"}' >/dev/null
courier
check "which is not there" within 5 says 'refused 1 there is no topic projects/p/topics/t: make it *'
stop courier || broken "the courier stops"
fakes /reset '{"token":["503","503","503","503"]}' >/dev/null
courier
check "without a token health says why" within 5 says "refused 1 there is no token of Google's: *answered 503*"
check "until there is one" within 20 says 'stored*'
stop courier || broken "the courier stops"

# --- an ordering key -----------------------------------------------------------------------------

fakes /reset '{"pubsub":["429"]}' >/dev/null
conf '&ordering=hook'
courier
put -n 100 -w 100 -k /hooks/a -e 'a-%' >"$T/out.a" &
put -n 100 -w 100 -k /hooks/b -e 'b-%' >"$T/out.b"
wait %%
is "events of two hooks, each its own key" "100 100" "$(grep -c '^stored' "$T/out.a") $(grep -c '^stored' "$T/out.b")"
is "a request has one" 2 "$(fakes /seen | node -p 'new Set(JSON.parse(fs.readFileSync(0)).seen.filter((s) =>
    s.service === "pubsub").map((s) => JSON.parse(s.body).messages[0].orderingKey)).size')"
is "and each hook's are in order" "true true" "$(fakes /seen | node -e 'const s = JSON.parse(fs.readFileSync(0)).stored;
    console.log(["a-", "b-"].map((l) => s.filter((i) => i.startsWith(l)).map((i) => Number(i.slice(2)))
    .every((x, i, n) => i === 0 || x > n[i - 1])).join(" "))')"
stop courier || broken "the courier stops"

# --- TLS -------------------------------------------------------------------------------------------

conf '' "\"ca_file\": \"$T/fake/tls.pem\","
sed -i "s|http://127.0.0.1:$GRPC|https://127.0.0.1:$TLS|" "$CONF"
fakes /reset >/dev/null
courier
is "over TLS events are stored" "50 1" "$(put -n 50 -w 50 -e 't-%' | grep -c '^stored') $(put -e one-more | grep -c '^stored')"
is "over one connection" 1 "$(asked sessions)"
fakes /reset '{"pubsub":["drop","503"]}' >/dev/null
like "and over another where that breaks" 'stored *' "$(put -e broken)"
stop courier || broken "the courier stops"
conf
sed -i "s|http://127.0.0.1:$GRPC|https://127.0.0.1:$TLS|" "$CONF"
courier
check "one whom nobody vouches for is not believed" within 5 says 'refused 1 *certificate*'
stop courier || broken "the courier stops"

# --- credentials by reference; the machine's own; an emulator --------------------------------------

unset GOOGLE_APPLICATION_CREDENTIALS
conf '' "\"inbox_secret\": \"file:$T/fake/account.json\","
fakes /reset >/dev/null
courier
like "\"inbox_secret\" names the credentials" 'stored *' "$(put -e secret)"
is "which are asked with" key "$(of_last last.facts.from)"
stop courier || broken "the courier stops"
conf
export GCE_METADATA_HOST=127.0.0.1:$FAKE
courier
like "without any, the machine's own token" 'stored *' "$(put -e metadata)"
is "is used" metadata "$(of_last last.facts.from)"
stop courier || broken "the courier stops"
unset GCE_METADATA_HOST
export PUBSUB_EMULATOR_HOST=127.0.0.1:$GRPC
fakes /reset '{"emulator":true}' >/dev/null
courier
like "an emulator that the environment names" 'stored *' "$(put -e emulator)"
is "is sent no token" "null " "$(of_last '[JSON.stringify(last.facts), last.headers.authorization].join(" ")')"
stop courier || broken "the courier stops"
export PUBSUB_EMULATOR_HOST=http://127.0.0.1/
check "one that is no HOST:PORT is refused" eval '! "$T/bin/hooklatch-courier" -c "$CONF" 2>"$T/out"'
like "with a sentence" '*PUBSUB_EMULATOR_HOST is no HOST:PORT*' "$(cat "$T/out")"
check "no token and no key is in the log" test "$(grep -cE 'ya29|PRIVATE|eyJ' "$T/log/courier")" = 0

[ "$FAILED" -eq 0 ] || why courier fake
finish pubsub
