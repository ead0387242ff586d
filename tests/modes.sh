#!/usr/bin/env bash
# tests/modes.sh - what is delivered inside a request: no 2xx before it is done, and
# answers that destinations give.
#
# A whole "hooklatch serve" with nginx, programs that fail when told to, and a server that
# answers in every way, dies and returns (tests/tool/answers.py).  Each failure is
# followed by the provider's next try.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

programs
make_tool sender
tool note
free_port
PEER=$PORT
free_port
mkdir "$T/out"
chmod 1777 "$T/out"

# It fails while there is a file that says so.
program take <<'END'
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION.tried"
[ ! -e "$OUT/$HOOKLATCH_DESTINATION.fails" ] || exit 1
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
END
program slow <<'END'
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION.tried"
while [ ! -e "$OUT/go" ]; do sleep 0.05; done
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
END
program later <<'END'
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
END
# What goes to a person and what goes to the sender.
program twiml <<'END'
echo "said to a person" >&2
echo "<Response><Message>$(wc -c) bytes, $$</Message></Response>"
END
program stubborn <<'END'
trap '' TERM
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/stubborn.tried"
while [ ! -e "$OUT/enough" ]; do sleep 0.05; done
echo '{"text":"too late"}'
END

github() {
	printf '"/hooks/%s": { "provider": "github", "secret": "plain:%s", "deadline": "%s", "deliver": [%s] },\n' \
	    "$1" "$SECRET" "${3:-8s}" "$2"
}
answers() {
	printf '"%s": { "http": "http://127.0.0.1:%s/%s", "mode": "answer" %s },\n' "$1" "$PEER" "${2:-$1}" "${3:-}"
}
conf() {
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"hooks": {
		$(github one '"first", "after"')
		$(github two '"first", "second"')
		$(github far '"far"')
		$(github slow '"slow"')
		$(github noted '"noted"')
		$(github short '"slow"' 500ms)
		$(github full '"full"')
		$(github filtered '{ "to": "first", "when": { "body:ref": "refs/heads/main" } }, "after"')
		$(github both '"first", "answer"')
		$(github twiml '"twiml"')
		$(github headers '"headers"')
		$(github stubborn '"stubborn"' 1s)
		$(for one in hang long packed secret redirect garbage refused; do
			github "$one" "\"$one\"" 1s; done)
		"/hooks/plain": { "provider": "github", "secret": "plain:$SECRET" }
	},
	"destinations": {
		"first": { "exec": "@T@/bin/take", "mode": "before_answer" },
		"second": { "exec": "@T@/bin/take", "mode": "before_answer" },
		"slow": { "exec": "@T@/bin/slow", "mode": "before_answer" },
		"noted": { "exec": ["@T@/bin/note", "@T@/out/noted"], "mode": "before_answer" },
		"far": { "http": "http://127.0.0.1:$PEER/taken", "mode": "before_answer" },
		"after": { "exec": "@T@/bin/later" },
		"twiml": { "exec": "@T@/bin/twiml", "mode": "answer", "answer_type": "text/xml" },
		"stubborn": { "exec": "@T@/bin/stubborn", "mode": "answer",
		    "fallback": "{\"text\":\"still at it\"}" },
		$(answers hang hang ', "fallback": "{\"text\":\"not now\"}"')
		$(answers secret secret ', "bearer": "plain:token-of-ours"')
		$(for one in answer headers long full packed redirect garbage refused; do answers "$one"; done)
		"unused": { "exec": "/bin/true" }
	}
}
END
}

# give PATH ID [JSON]: STATUS, and the whole answer in $T/head and $T/got
give() {
	printf '%s' "${3:-"{\"of\":\"$2\"}"}" >"$T/body"
	STATUS=$(curl -s -D "$T/head" -o "$T/got" -w '%{http_code}' --max-time 20 \
	    -H "X-GitHub-Delivery: $2" -H 'Content-Type: application/json' \
	    -H 'X-GitHub-Event: push' \
	    -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$T/body")" \
	    --data-binary "@$T/body" "http://127.0.0.1:$PORT$1" || :)
}

hooklatch() {
	local command=$1
	shift
	"$T/bin/hooklatch" "$command" "$@" --config "$T/hooklatch.json"
}

# state ID DESTINATION
state() {
	sql "SELECT CASE state WHEN 0 THEN 'waits' WHEN 2 THEN 'done' WHEN 5 THEN 'missed'
	    ELSE state END FROM deliveries d JOIN events e ON e.n = d.event
	    WHERE e.event_id = '$1' AND d.destination = '$2'"
}

# times FILE WORD: how often it is there
times() {
	grep -cw -- "$2" "$T/out/$1" 2>/dev/null || :
}

# head NAME: a header of the answer
head_of() {
	tr -d '\r' <"$T/head" | sed -n "s/^$1: //Ip"
}

peer_start() {
	start peer python3 tests/tool/answers.py "$PEER" "$T/out/peer"
	within 10 listening "$PEER"
}

conf
check "the configuration is good" quietly check "$T/bin/hooklatch" check --config "$T/hooklatch.json"
check "the peer answers" peer_start
check "it serves" serve_start

# --- no 2xx before it is done ----------------------------------------------------------

touch "$T/out/first.fails"
give /hooks/one a-1
is "what must be done before the answer fails: 503" 503 "$STATUS"
is "with Retry-After" 5 "$(head_of retry-after)"
is "the event is kept" 1 "$(sql "SELECT count(*) FROM events WHERE event_id = 'a-1'")"
is "and missed" missed "$(state a-1 first)"
check "what comes after the answer is not held up" within 10 eval '[ "$(times after a-1)" -eq 1 ]'
rm "$T/out/first.fails"
give /hooks/one a-1
is "the provider's next try is answered by what it comes to" 200 "$STATUS"
is "it was made again" 2 "$(times first.tried a-1)"
is "and is done" "done" "$(state a-1 first)"
give /hooks/one a-1
is "a third is a repeat as any" 200 "$STATUS"
is "without an attempt" 2 "$(times first.tried a-1)"
is "of what comes after there is one" 1 "$(times after a-1)"
ID=$(events list --json --event-id a-1 | member id)
is "both attempts are recorded" "later done" \
    "$(events show "$ID" --json | grep '"attempt_to":"first"' | grep -o '"outcome":"[a-z]*"' | cut -d'"' -f4 | xargs)"
is "with two repeats" 2 "$(events list --json --event-id a-1 | member repeats)"

touch "$T/out/second.fails"
give /hooks/two b-1
is "one of two fails: 503" 503 "$STATUS"
is "both were tried" "1 1" "$(times first.tried b-1) $(times second.tried b-1)"
rm "$T/out/second.fails"
give /hooks/two b-1
is "the next try" 200 "$STATUS"
is "only the one that failed is made again" "1 2" "$(times first.tried b-1) $(times second.tried b-1)"

give /hooks/filtered c-1 '{"ref":"refs/heads/main"}'
is "a filter that fits" "200 1" "$STATUS $(times first c-1)"
touch "$T/out/first.fails"
give /hooks/filtered c-2 '{"ref":"refs/heads/other"}'
is "what is filtered out holds nothing up" 200 "$STATUS"
rm "$T/out/first.fails"

# A receiver that dies and returns.
give /hooks/far d-1
is "a receiver over HTTP" 200 "$STATUS"
stop peer KILL
give /hooks/far d-2
is "it is dead: 503" 503 "$STATUS"
check "it returns" peer_start
give /hooks/far d-2
is "and the next try is taken" "200 1" "$STATUS $(grep -c "$(events list --json --event-id d-2 | member id)" "$T/out/peer")"

# Two at the same time: the second waits for the attempt of the first.
(give /hooks/slow e-1; echo "$STATUS" >"$T/first-status") &
first=$!
check "it is under way" within 10 eval '[ "$(times slow.tried e-1)" -eq 1 ]'
(give /hooks/slow e-1; echo "$STATUS" >"$T/second-status") &
second=$!
check "its repeat is there" within 10 eval \
    '[ "$(sql "SELECT repeats FROM events WHERE event_id = '\''e-1'\''")" = 1 ]'
touch "$T/out/go"
wait "$first" "$second"
is "both are answered by one attempt" "200 200 1" \
    "$(cat "$T/first-status" "$T/second-status" | xargs) $(times slow.tried e-1)"
rm "$T/out/go"
give /hooks/short e-2
is "out of time: 503" 503 "$STATUS"
touch "$T/out/go"
check "it is ended and recorded" within 10 eval \
    'sql "SELECT sentence FROM attempts" | grep -c "ran longer than" >/dev/null'
give /hooks/short e-2
is "the next try is done" "200 done" "$STATUS $(state e-2 slow)"

# --- answers -----------------------------------------------------------------------------

touch "$T/out/first.fails"
give /hooks/both f-1
is "before the answer comes what must be done before it" "503 0" "$STATUS $(grep -c /answer "$T/out/peer")"
rm "$T/out/first.fails"
give /hooks/both f-1
is "then it is answered" 200 "$STATUS"
like "by what the destination says" '{"text":"answer * to * bytes"}' "$(cat "$T/got")"
is "as what it says it is" "application/json; charset=utf-8 de" \
    "$(head_of content-type) $(head_of content-language)"
cp "$T/got" "$T/told"
stop peer KILL
give /hooks/both f-1
check "a repeat hears the same, byte for byte, though nobody is there to ask" cmp "$T/got" "$T/told"
is "with the same headers" "200 application/json; charset=utf-8 de" \
    "$STATUS $(head_of content-type) $(head_of content-language)"
give /hooks/both f-2
is "nobody to ask: 503" 503 "$STATUS"
check "the peer returns" peer_start
give /hooks/both f-2
is "the next try is answered" 200 "$STATUS"
is "what was done before is not done again" 1 "$(times first.tried f-2)"

give /hooks/twiml g-1
is "a program answers with its type" "200 text/xml" "$STATUS $(head_of content-type)"
like "by what it writes to stdout alone" '<Response><Message>12 bytes, *</Message></Response>' "$(cat "$T/got")"
cp "$T/got" "$T/told"
give /hooks/twiml g-1
check "and once" cmp "$T/got" "$T/told"
is "what it says to people is kept" "said to a person" "$(sql "SELECT CAST(output AS TEXT) FROM
    attempts a JOIN deliveries d ON d.n = a.delivery WHERE d.destination = 'twiml'")"

give /hooks/hang h-1
is "one that hangs: the fallback, in time" '200 {"text":"not now"}' "$STATUS $(cat "$T/got")"
give /hooks/hang h-1
is "a repeat hears the same" '200 {"text":"not now"}' "$STATUS $(cat "$T/got")"
is "and nobody is asked again" 1 "$(grep -c /hang "$T/out/peer")"
is "it is missed" missed "$(state h-1 hang)"
give /hooks/stubborn h-2
is "one that does not end: the same" '200 {"text":"still at it"}' "$STATUS $(cat "$T/got")"
touch "$T/out/enough"
check "its late answer is" within 10 eval '[ -n "$(sql "SELECT 1 FROM attempts a JOIN deliveries d
    ON d.n = a.delivery WHERE d.destination = '\''stubborn'\''")" ]'
give /hooks/stubborn h-2
is "told to nobody" '200 {"text":"still at it"}' "$STATUS $(cat "$T/got")"

for how in long packed secret redirect garbage refused; do
	give "/hooks/$how" "i-$how"
	is "an answer that cannot be passed on ($how): 503" "503 missed" "$STATUS $(state "i-$how" "$how")"
	check "and nothing of it" eval '! grep -q "xxx\|token-of-ours\|answer" "$T/got"'
done
give /hooks/full j-1
is "one of 64 KiB is" "200 65536" "$STATUS $(wc -c <"$T/got")"
give /hooks/headers k-1
like "what would be the web server's own word does not get through" \
    '200 {"text":"answer * to * bytes"}' "$STATUS $(cat "$T/got")"
is "no cookie, no redirect" "" "$(grep -iE '^(set-cookie|x-accel|location)' "$T/head" || :)"
is "no answer is in the log" 0 "$(grep -acE 'answer [0-9]+ to|not now|still at it|token-of-ours' "$T/log/serve")"

# --- courier killed between the commit and the answer -------------------------------------

rm -f "$T/out/go"
(give /hooks/slow l-1; echo "$STATUS" >"$T/first-status") &
first=$!
check "a request waits for its destination" within 10 eval '[ "$(times slow.tried l-1)" -eq 1 ]'
kill -9 "$(pid_of courier)"
touch "$T/out/go"
wait "$first"
# Sent again to the next courier; one that is just dying may have been asked for the next.
like "its sender hears no more than what is true" "@(200 done|503 missed)" \
    "$(cat "$T/first-status") $(state l-1 slow)"
check "it comes back" within 15 healthy
give /hooks/slow l-1
is "the next try is answered, and it was made again, once" "200 done 2" \
    "$STATUS $(state l-1 slow) $(times slow.tried l-1)"

# Told to stop, a courier takes no more of them and waits for those that it has.
rm "$T/out/go"
(give /hooks/slow l-2; echo "$STATUS" >"$T/first-status") &
first=$!
check "a request waits for its destination" within 10 eval '[ "$(times slow.tried l-2)" -eq 1 ]'
kill "$(pid_of courier)"
check "while the courier stops others are refused" within 3 eval 'give /hooks/noted l-3; [ "$STATUS" = 503 ]'
touch "$T/out/go"
wait "$first"
is "it is waited for" "200 1" "$(cat "$T/first-status") $(times slow.tried l-2)"
check "another courier is there" within 15 healthy

# --- kill -9 of couriers, under load: what was answered has been delivered -------------------

answered() {
	[ "$(wc -l <"$T/record")" -gt "$1" ]
}
touch "$T/record" "$T/out/noted"
chmod 666 "$T/out/noted"
start sender "$T/bin/sender" -p "$PORT" -P /hooks/noted -c 8 -R 100 -n 10000000 -b 500 -s "$SECRET" -r "$T/record"
for i in 1 2 3; do
	check "events are answered" within 15 answered $(($(wc -l <"$T/record") + 50))
	kill -9 "$(pid_of courier)"
	check "a courier that was killed comes back" within 15 healthy
done
check "the sender comes to its end" stop sender TERM 60
is "and gave nothing up" 0 "$(sent lost "$T/log/sender")"
is "what was answered had been delivered" "" \
    "$(sort -u "$T/out/noted" | comm -23 <(sort -u "$T/record") - | head -n 3)"
is "and is written down as done" "" \
    "$(sql "SELECT event_id FROM deliveries d JOIN events e ON e.n = d.event WHERE destination = 'noted' AND
	state = 2" | sort | comm -23 <(sort -u "$T/record") - | head -n 3)"

# --- the operator --------------------------------------------------------------------------

check "a destination is paused" hooklatch destinations pause first
give /hooks/one m-1
is "paused: 503 at once" "503 0" "$STATUS $(times first.tried m-1)"
like "which the log says" "*a destination is paused*" "$(grep -a paused "$T/log/serve" || :)"
is "what was missed is listed" 1 "$(hooklatch deliveries --state missed --to first --json | grep -c '"state":"missed"')"
check "it is resumed" hooklatch destinations resume first
is "what its sender gave up goes after the fact" '{"events":1,"deliveries":1}' \
    "$(events replay "$(events list --json --event-id m-1 | member id)" --to first --json)"
check "and is done" within 10 eval '[ "$(state m-1 first)" = "done" ]'
give /hooks/one m-1
is "a late repeat finds it so" "200 1" "$STATUS $(times first.tried m-1)"

touch "$T/out/first.fails"
for i in 1 2 3 4 5; do
	give /hooks/one "n-$i"
done
give /hooks/one n-6
is "one that fails and fails is left alone: 503 at once" "503 0" "$STATUS $(times first.tried n-6)"
rm "$T/out/first.fails"

check "what was done is counted as other deliveries are" eval \
    'hooklatch stats --prometheus | grep -c "^hooklatch_deliveries_total{destination=\"first\",result=\"done\"} [1-9]" >/dev/null'

# --- examples/answers.json ------------------------------------------------------------------

# Its secrets and programs are here, its application is the peer.
examples() {
	dir "$T/etc"
	echo user:password >"$T/etc/dialogflow"
	echo slack-secret >"$T/etc/slack"
	echo twilio-secret >"$T/etc/twilio"
	openssl genpkey -algorithm ed25519 -out "$T/etc/discord.pem" 2>>"$T/log/openssl"
	local public
	public=$(openssl pkey -in "$T/etc/discord.pem" -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d " \n")
	cp examples/answer "$T/bin/answer"
	sed -e "s#file:/etc/hooklatch/#file:$T/etc/#; s#/usr/local/bin/#$T/bin/#" \
	    -e "s#\"sqlite:[^\"]*\"#\"sqlite:$T/inbox/inbox.db\", \"courier\": \"unix:$T/inbox/courier.sock\", \"volatile\": true#" \
	    -e "s#\"public_key\": \"[0-9a-f]*\"#\"public_key\": \"$public\"#" \
	    -e "s#http://127.0.0.1:3000/slack/commands#http://127.0.0.1:$PEER/answer#" \
	    -e '/\$schema/d' examples/answers.json >"$T/hooklatch.json"
	program archive <<<'cat >"$OUT/archived"'
}

# ask HOOK ARGUMENT...: signed as its sender would; the status and the answer
ask() {
	local hook=$1
	shift
	hooklatch send --hook "/hooks/$hook" --url "http://127.0.0.1:$PORT/hooks/$hook" --json "$@" \
	    2>>"$T/log/send"
}

check "it stops" serve_stop
examples
check "the example is served" serve_start
ES='{"responseId":"r","session":"s","queryResult":{"queryText":"hi"}}'
CX='{"detectIntentResponseId":"d","fulfillmentInfo":{"tag":"order"},"text":"hi"}'
like "Dialogflow ES" '*200*fulfillmentText*You sent * bytes*' "$(ask dialogflow-es --body - <<<"$ES")"
like "Dialogflow CX" '*200*fulfillmentResponse*You sent * bytes*' "$(ask dialogflow-cx --body - <<<"$CX")"
like "Discord: PING" '*200*type*1*' "$(ask discord --private-key "$T/etc/discord.pem" --body - <<<'{"type":1}')"
like "and a command" '*200*type*4*You sent * bytes*' "$(ask discord --private-key "$T/etc/discord.pem" \
    --body - <<<'{"id":"1","type":2,"data":{"name":"deploy"}}')"
like "Slack: a slash command" '*200*answer * to * bytes*' "$(ask slack --content-type application/x-www-form-urlencoded \
    --body - <<<'command=%2Fdeploy&text=now&trigger_id=1.2.3')"
like "and an event, which nobody is asked about" '*200*' "$(ask slack --content-type application/json \
    --body - <<<'{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}')"
check "it goes to the archive" within 10 grep -q app_mention "$T/out/archived"
like "Twilio: TwiML" '*200*<Response><Message>You sent * bytes*' "$(ask twilio \
    --content-type application/x-www-form-urlencoded --body - <<<'Body=hello&From=%2B123')"
printf '#!/bin/sh\nexit 1\n' >"$T/bin/answer"
like "with nobody to answer, the fallback" '*200*ask me again*' "$(ask dialogflow-es --body - <<<"$ES")"
like "which may be empty" '*200*{}*' "$(ask dialogflow-cx --body - <<<"$CX")"
check "it stops" serve_stop
conf
check "it serves" serve_start

# --- the end ---------------------------------------------------------------------------------

rm "$T/out/go"
(give /hooks/slow o-1; echo "$STATUS" >"$T/first-status") &
first=$!
check "a request waits" within 10 eval '[ "$(times slow.tried o-1)" -eq 1 ]'
kill "${PID[serve]}"
check "while it stops" within 10 eval '! listening "$PORT"'
touch "$T/out/go"
wait "$first"
is "it is waited for" 200 "$(cat "$T/first-status")"
check "it stops in time" serve_stop
is "the database is sound" ok "$(sql 'PRAGMA integrity_check')"

# --- without an inbox ---------------------------------------------------------------------------

sed -i -e "s#\"inbox\": [^,]*,#\"inbox\": \"none\",#" -e '/"\/hooks\/\(one\|filtered\)"/d' "$T/hooklatch.json"
check "nothing waits without an inbox, so nothing goes after the answer" eval \
    '! sed "s#\"first\", \"second\"#\"first\", \"after\"#" "$T/hooklatch.json" >"$T/bad.json" ||
    ! quietly check "$T/bin/hooklatch" check --config "$T/bad.json"'
check "what comes before it does" quietly check "$T/bin/hooklatch" check --config "$T/hooklatch.json"
check "it serves" serve_start
touch "$T/out/second.fails"
give /hooks/two q-1
is "one that must be done fails: 503" "503 1" "$STATUS $(times first q-1)"
rm "$T/out/second.fails"
give /hooks/two q-1
is "the next try has all of it made again: nothing remembers" "200 2 1" \
    "$STATUS $(times first q-1) $(times second q-1)"
give /hooks/both q-2
like "an answer" '200 {"text":"answer * to * bytes"}' "$STATUS $(cat "$T/got")"
cp "$T/got" "$T/told"
give /hooks/both q-2
check "a repeat is asked again" eval '[ "$STATUS" = 200 ] && ! cmp -s "$T/got" "$T/told"'
give /hooks/hang q-3
is "a fallback" '200 {"text":"not now"}' "$STATUS $(cat "$T/got")"
head -c 300000 /dev/zero | tr '\0' x | sed 's/.*/{"long":"&"}/' >"$T/long"
give /hooks/twiml q-4 "$(cat "$T/long")"
like "a long body arrives" "200 <Response><Message>$(stat -c %s "$T/body") bytes, *" "$STATUS $(cat "$T/got")"
kill -9 "$(pid_of courier)"
check "a courier that was killed comes back" within 15 eval 'give /hooks/far q-5; [ "$STATUS" = 200 ]'
check "it stops" serve_stop

# --- an engine as the inbox ---------------------------------------------------------------------

if command -v redis-server >/dev/null && [[ $(ldd "$BUILD/hooklatch-courier") == *hiredis* ]]; then
	free_port
	ENGINE=$PORT
	free_port
	dir "$T/redis"
	start redis redis-server --port "$ENGINE" --bind 127.0.0.1 --dir "$T/redis" --save '' \
	    --appendonly yes --appendfsync always
	check "an engine is there" within 10 listening "$ENGINE"
	sed -i "s#\"inbox\": \"none\"#\"inbox\": \"redis://127.0.0.1:$ENGINE/0/events\"#" "$T/hooklatch.json"
	check "it serves" serve_start
	touch "$T/out/second.fails"
	give /hooks/two r-1
	is "one that must be done fails: 503" "503 1" "$STATUS $(times first r-1)"
	rm "$T/out/second.fails"
	give /hooks/two r-1
	is "the next try, which the engine knows, has all of it made again" "200 2 1" \
	    "$STATUS $(times first r-1) $(times second r-1)"
	is "it is there once" 1 "$(redis-cli -p "$ENGINE" --raw XLEN events)"
	give /hooks/both r-2
	like "an answer" '200 {"text":"answer * to * bytes"}' "$STATUS $(cat "$T/got")"
	stop redis KILL
	give /hooks/both r-3
	is "nothing is asked of what is not kept: 503" "503 0" "$STATUS $(times first r-3)"
	check "it stops" serve_stop
else
	skip "an engine as the inbox" "redis-server or the courier's hiredis is not there"
fi

# --- would the tests notice? -------------------------------------------------------------------

variant build all-headers hooklatch-courier TEST_ALL_HEADERS TEST_NOT_WAITED
cp build/all-headers/hooklatch-courier "$T/bin/hooklatch-courier"
conf
check "a courier that passes all headers on, and does not wait" serve_start
give /hooks/headers p-1
check "has the destination command the web server" eval '! grep -q text "$T/got"'
touch "$T/out/first.fails"
give /hooks/one p-2
is "and acknowledges what is not delivered" "200 missed" "$STATUS $(state p-2 first)"

[ "$FAILED" -eq 0 ] || why serve
finish modes
