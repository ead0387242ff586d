#!/usr/bin/env bash
# tests/guide.sh - Google's guide on hosting webhook targets, row by row: what docs/guide.md
# says of examples/guide.json is so.
#
# What the page shows stands in that file, word for word, and the file is run by
# "hooklatch serve": as it is, but for where its inbox, its programs and its peers are, and
# for one secret that Secret Manager keeps (see conf below).  The peers: Google's own
# emulator of Pub/Sub, where the machine has it, and of the other services
# tests/tool/google.js.  Each row's request is sent, signed by "hooklatch send"; each
# destination fails once and is tried again.  That they survive the death of their peers is
# tests/push.sh's.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages guide	# the fake of X wants one

# shellcheck source=tests/lib.sh
. tests/lib.sh
. tests/load.sh
. tests/emulator.sh

programs
PAGE=docs/guide.md FILE=examples/guide.json

# --- the page and the file -------------------------------------------------------------

# Each block of the page, as one line with "\n" in it, is part of the file's text.
absent=$(awk 'FNR == NR { file = file $0 "\n"; next }
    /^```jsonc$/ { inside = 1; block = ""; next }
    /^```$/ && inside { inside = 0; n++; if (!index(file, block)) print "block " n ": " block; next }
    inside { block = block $0 "\n" }
    END { if (n < 5) print "only " n " blocks" }' "$FILE" "$PAGE")
is "what the page shows stands in the file, word for word" "" "$absent"
check "a block with another word would be found" eval '
    ! awk "FNR == NR { file = file \$0 \"\n\"; next } { exit !index(file, \$0 \"\n\") }" "$FILE" <(
	echo "			\"to_topic\": \"pushed\",")'
# All keys at the second level: hooks and destinations.
mapfile -t NAMES < <(sed -nE 's/^\t\t"([^"]+)": \{$/\1/p' "$FILE")
unshown=
for name in "${NAMES[@]}"; do
	sed -n '/^```jsonc$/,/^```$/p' "$PAGE" | grep -qF "\"$name\": {" || unshown+="$name "
done
is "each hook and destination of the file is on the page" "" "$unshown"

# --- as it is run -----------------------------------------------------------------------

free_port
FAKE=$PORT
free_port
EMULATOR=$PORT
PORT=0
mkdir "$T/fake" "$T/out"
chmod 1777 "$T/out"
quietly openssl openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/fake/key.pem"
export SECRET GITHUB_SECRET=g-new GITHUB_SECRET_BEFORE=g-old ALERTS_SECRET=alerts:p-w DIALOGFLOW_SECRET=agent:p-w
# As the fake of X knows them.
export X_KEY='a consumer/key' X_SECRET='CONSUMER&SECRET' X_TOKEN=account-token X_TOKEN_SECRET='TOKEN+SECRET='
export GOOGLE_APPLICATION_CREDENTIALS=$T/fake/account.json

cat >"$T/bin/deploy" <<END
#!/bin/sh
[ -e $T/out/tried ] || { touch $T/out/tried; echo "the disk of staging is full"; exit 1; }
cat >$T/out/deployed && echo "\$1 runs \$HOOKLATCH_EVENT_ID" >$T/out/said
END
cat >"$T/bin/fulfil" <<END
#!/bin/sh
[ ! -e $T/out/unwell ] || exit 1
jq -c 'if .queryResult then { fulfillmentText: "Order \\(.queryResult.parameters.order) is on its way." }
    else { fulfillmentResponse: { messages: [{ text: { text: ["Order \\(.sessionInfo.parameters.order)"] } }] } } end'
END
chmod 755 "$T/bin/deploy" "$T/bin/fulfil"

conf() {
	local again='"retry": { "first": "50ms", "most": "200ms" },' at="http://127.0.0.1:$FAKE"
	sed -E -e "s#^(\t\"inbox\": \"sqlite:)[^\"]*#\1$T/inbox/inbox.db\", \"courier\": \"unix:$T/inbox/courier.sock#" \
	    -e "s#^\t\"inbox.*#& \"volatile\": true,#" \
	    -e "s#/usr/local/bin/#$T/bin/#" \
	    -e "s#^(\t\t\t\"(service|exec|google)\": .*,)\$#\1 $again#" \
	    -e "s#\"service\": \"(fcm|bigquery|cloud-tasks|x${1:+|pubsub})\",#& \"endpoint\": \"$at\",#" \
	    -e "s#https://(cloudbuild[.]googleapis[.]com|worker-abc123[.]run[.]app/events)#$at/run/\1#" \
	    -e "s#env:ALERTS_SECRET#gcp:projects/p/secrets/alerts#; s#^\t\"inbox.*#& \"secret_manager\": \"$at\",#" \
	    -e 's#2001:db8::/32#127.0.0.2/32#' "$FILE" >"$T/hooklatch.json"
}

without=$(emulator_missing)
if [ -z "$without" ]; then
	export PUBSUB_EMULATOR_HOST=127.0.0.1:$EMULATOR
	emulator_start "$EMULATOR"
	conf
else
	skip "Pub/Sub itself has the message" "$without"
	conf fake
fi
start fake node tests/tool/google.js fake "$T/fake" "$FAKE"
check "the fakes start" within 10 grep -q ready "$T/log/fake"

fakes() {	# PATH [BODY]
	curl -s --max-time 10 ${2:+-d "$2"} "http://127.0.0.1:$FAKE$1"
}

fakes /secrets '{"projects/p/secrets/alerts":["'"$ALERTS_SECRET"'"]}' >/dev/null

# one SERVICE FILTER: of the last request to it that had a token, by jq
one() {
	fakes /seen | jq -c --arg s "$1" "[.seen[] | select(.service == \$s and .facts)] | last | $2"
}

# gets PATH ARGUMENT...: curl's answer, "STATUS BODY"
gets() {
	local path=$1
	shift
	curl -s --max-time 20 -w '\n%{http_code}' "$@" "http://127.0.0.1:$PORT$path" |
	    awk '{ line[NR] = $0 } END { printf "%s", line[NR]; for (i = 1; i < NR; i++) if (line[i] != "") printf " %s", line[i] }'
}

# sends HOOK ARGUMENT...: the status that "hooklatch send" is answered
sends() {
	local hook=$1
	shift
	"$T/bin/hooklatch" send --config "$T/hooklatch.json" --hook "$hook" \
	    --url "http://127.0.0.1:$PORT$hook" --json "$@" 2>>"$T/log/send" | member status
}

# went EVENT-ID: where it was to go, in order
went() {
	sql "SELECT destination FROM deliveries d JOIN events e ON e.n = d.event
	    WHERE e.event_id = '$1' ORDER BY 1" | xargs
}

# delivered EVENT-ID DESTINATION
delivered() {
	[ "$(sql "SELECT d.state FROM deliveries d JOIN events e ON e.n = d.event
	    WHERE e.event_id = '$1' AND destination = '$2'")" = 2 ]
}

check "hooklatch check accepts it" quietly check "$T/bin/hooklatch" check --config "$T/hooklatch.json"
check "serve starts" serve_start
if [ -z "$without" ]; then
	check "the emulator starts" within 20 emulator_up "$EMULATOR"
	quietly emulator emulator "$EMULATOR" PUT /v1/projects/p/topics/hooks '{}' || broken "there is a topic"
	quietly emulator emulator "$EMULATOR" PUT /v1/projects/p/subscriptions/look '{"topic":"projects/p/topics/hooks"}' ||
	    broken "and a subscription"
fi

# --- the target ------------------------------------------------------------------------

json='Content-Type: application/json'
is "a POST with the secret in its header is taken" "200" "$(gets /hooks/own -H "Secret: $SECRET" -H "$json" -d '{"a":1}')"
is "or in its JSON" "200" "$(gets /hooks/own -H "$json" -d "{\"secret\":\"$SECRET\"}")"
is "nothing but a POST" 405 "$(gets /hooks/own -H "Secret: $SECRET" | cut -c1-3)"
is "nothing but JSON" 400 "$(gets /hooks/own -H "Secret: $SECRET" -d 'a=1' | cut -c1-3)"
is "the challenge is echoed" "200 c-1" "$(gets /hooks/own -H "Secret: $SECRET" -d '{"challenge":"c-1"}')"
is "not to a stranger" "401" "$(gets /hooks/own -d '{"challenge":"c-1"}' | cut -c1-3)"
kept=$(sql "SELECT count(*) FROM events")
is "who has another secret is unauthorized" "401" "$(gets /hooks/own -H 'Secret: other' -d '{}' | cut -c1-3)"
is "no push of GitHub's that was changed on its way" 401 "$(sends /hooks/github --forge flip)"
is "and nothing of it is kept" "$kept" "$(sql "SELECT count(*) FROM events")"
is "while a secret is changed both are good" "200 200" \
    "$(sends /hooks/github --id g-new) $(sends /hooks/github --id g-old --secret old)"
is "a provider's retry is the same event" "200 1" \
    "$(sends /hooks/github --id g-new) $(sql "SELECT count(*) FROM events WHERE event_id = 'g-new'")"
is "Cloud Monitoring asks first without, then with its password" "200" \
    "$(gets /hooks/alerts --anyauth -u "$ALERTS_SECRET" -H "$json" \
	-d '{"version":"1.2","incident":{"policy_name":"Latency","state":"open","summary":"p99 is 9 s"}}')"
is "a push subscription without Google's token is nobody" 401 "$(gets /hooks/pubsub -H "$json" -d '{"message":{}}' | cut -c1-3)"
is "a sender without a secret, from elsewhere" 403 "$(gets /hooks/sensors -d '{}' | cut -c1-3)"
is "from where it may be" 200 "$(gets /hooks/sensors --interface 127.0.0.2 -H "$json" -d '{"t":21}')"
head -c 70000 /dev/zero | tr '\0' 1 >"$T/long"
is "with more than it may send" 413 "$(gets /hooks/sensors --interface 127.0.0.2 -H "$json" --data-binary "@$T/long" | cut -c1-3)"

# --- relay, store, act -------------------------------------------------------------------

within 20 eval '[ "$(sql "SELECT count(*) FROM deliveries WHERE state < 2")" = 0 ]' || broken "all that came so far is delivered"
is "an alert is shown" '["on-call","Latency is open","p99 is 9 s"]' \
    "$(one fcm '.body | fromjson | .message | [.topic, .notification.title, .notification.body]')"

# What the page says to type, but for the port.
typed=0
while read -r line; do
	[[ $line == curl\ * || $line == hooklatch\ send\ * ]] || continue
	line=${line/--config "$FILE"/--config "$T/hooklatch.json"}
	line=${line/hooklatch send/"$T/bin/hooklatch" send --url "http://127.0.0.1:$PORT/hooks/github"}
	line=${line/127.0.0.1:8080/127.0.0.1:$PORT}
	check "the page's \"${line%% *}\" works" quietly typed eval "${line/curl/curl -sf}"
	typed=$((typed + 1))
done < <(sed -n '/^```sh$/,/^```$/p' "$PAGE")
is "there are three such lines" 3 "$typed"

agent() {	# JSON
	gets /hooks/dialogflow -u "$DIALOGFLOW_SECRET" -H "$json" -d "$1"
}
asked='{"queryResult":{"intent":{"displayName":"order"},"parameters":{"order":42}}}'
is "Dialogflow ES is answered" '200 {"fulfillmentText":"Order 42 is on its way."}' "$(agent "$asked")"
is "and CX" '200 {"fulfillmentResponse":{"messages":[{"text":{"text":["Order 42"]}}]}}' \
    "$(agent '{"fulfillmentInfo":{"tag":"order"},"sessionInfo":{"parameters":{"order":42}}}')"
touch "$T/out/unwell"
is "by the fallback, where the program fails" '200 {"fulfillmentText": "Please ask again in a moment."}' "$(agent "$asked")"
rm "$T/out/unwell"
is "a stranger is not" 401 "$(DIALOGFLOW_SECRET=agent:x agent "$asked" | cut -c1-3)"

is "X asks whose the URL is" \
    "200 {\"response_token\":\"sha256=$(printf q-1 | openssl dgst -sha256 -hmac "$X_SECRET" -binary | base64)\"}" \
    "$(gets "/hooks/x?crc_token=q-1")"
fakes /reset '{"x":["503"]}' >/dev/null
printf '{"for_user_id":"2244994945","tweet_create_events":[{"id_str":"17","user":{"screen_name":"ada"},%s}]}' \
    '"in_reply_to_user_id_str":"2244994945"' >"$T/mention"
is "an answer to a post of ours" 200 "$(sends /hooks/x --body "$T/mention")"
check "is answered" within 20 eval '[ "$(sql "SELECT state FROM deliveries WHERE destination = '\''reply'\''")" = 2 ]'
is "by a reply to it" '{"text":"Thank you, @ada. We look into it.","reply":{"in_reply_to_tweet_id":"17"}}' \
    "$(fakes /seen | jq -c '[.seen[] | select(.service == "x")] | last | .body | fromjson')"
sed -i 's/"in_reply_to_user_id_str":"2244994945"/"in_reply_to_user_id_str":"1"/' "$T/mention"
is "a post of our own" 200 "$(sends /hooks/x --body "$T/mention")"
is "is not" 1 "$(sql "SELECT count(*) FROM deliveries WHERE destination = 'reply'")"

PUSH=examples/github-push.json
rm -f "$T/out/tried"
fakes /reset '{"fcm":["503"],"bigquery":["503"],"tasks":["503"],"run":["503"]}' >/dev/null
is "a push to main" 200 "$(sends /hooks/github --type push --body "$PUSH" --id g-main)"
is "goes to" "phones staging stream warehouse" "$(went g-main)"
is "a task of one's own" 200 "$(gets /hooks/own -H "Secret: $SECRET" -H 'Idempotency-Key: o-1' -H "$json" -d '{"order":42}')"
is "goes to" "later worker" "$(went o-1)"
for name in staging phones warehouse stream; do
	check "it gets to $name" within 20 delivered g-main "$name"
done
for name in later worker; do
	check "and that to $name" within 20 delivered o-1 "$name"
done
is "each that failed was tried again" "" "$(sql "SELECT destination FROM deliveries d JOIN events e ON e.n = d.event
    WHERE e.event_id IN ('g-main', 'o-1') AND destination <> 'stream' AND made < 2")"
check "the program got the push" cmp "$PUSH" "$T/out/deployed"
is "and what it is to do" "staging runs g-main" "$(cat "$T/out/said")"
check "why it failed at first can be read" eval '"$T/bin/hooklatch" events list --json --event-id g-main \
    --config "$T/hooklatch.json" | member id | xargs -I{} "$T/bin/hooklatch" events show {} \
    --config "$T/hooklatch.json" | grep "the disk of staging is full" >/dev/null'
is "the phones are told" "$(jq -c '["pushes", .repository.full_name, "\(.pusher.name) pushed to \(.ref)"]' "$PUSH")" \
    "$(one fcm '.body | fromjson | .message | [.topic, .notification.title, .notification.body]')"
is "the warehouse has the row" "$(jq -c -Rs '["/hooks/github", "github", "g-main", "push", .]' "$PUSH")" \
    "$(one bigquery '.body | fromjson | .rows[0].json | [.hook, .provider, .event_id, .event_type, .body]')"
is "the task is the worker's" '["https://worker-abc123.run.app/tasks","{\"order\":42}","worker@p.iam.gserviceaccount.com"]' \
    "$(one tasks '.body | fromjson | .task.httpRequest | [.url, (.body | @base64d), .oidcToken.serviceAccountEmail]')"
is "the worker gets a token of its own" '[true,"{\"order\":42}"]' "$(one run '[.facts.id, .body]')"
if [ -z "$without" ]; then
	emulator "$EMULATOR" POST /v1/projects/p/subscriptions/look:pull '{"maxMessages":100,"returnImmediately":true}' |
	    jq -j '.receivedMessages[]?.message | select(.attributes["hooklatch-event-id"] == "g-main") | .data' |
	    base64 -d >"$T/published"
	check "Pub/Sub has the push, byte for byte" cmp "$PUSH" "$T/published"
fi

echo '{"ref":"v1.0","ref_type":"tag"}' >"$T/tag"
is "a tag" 200 "$(sends /hooks/github --type create --body "$T/tag" --id g-tag)"
is "is a release" "release stream warehouse" "$(went g-tag)"
check "which is built" within 20 delivered g-tag release
is "by a trigger, with an access token" \
    '["/run/cloudbuild.googleapis.com/v1/projects/p/locations/europe-west1/triggers/release:run",null,{"source":{"tagName":"v1.0"}}]' \
    "$(one run '[.path, .facts.id, (.body | fromjson)]')"
jq -c '.ref = "refs/heads/other"' "$PUSH" >"$T/other"
is "a push to another branch" 200 "$(sends /hooks/github --type push --body "$T/other" --id g-other)"
is "is not deployed" "phones stream warehouse" "$(went g-other)"

check "all of it is delivered" within 20 eval '[ "$(sql "SELECT count(*) FROM deliveries WHERE state NOT IN (2, 4)
    AND destination <> '\''fulfilment'\''")" = 0 ]'	# a failed answer is the sender's to ask again
unused=
for name in "${NAMES[@]}"; do
	[[ $name == /* ]] || [ "$(sql "SELECT count(*) FROM deliveries WHERE destination = '$name' AND state = 2")" -gt 0 ] ||
	    unused+="$name "
done
is "there is no destination that nothing went to" "" "$unused"
check "serve stops" serve_stop

[ "$FAILED" -eq 0 ] || why serve fake emulator
finish guide
