#!/usr/bin/env bash
# tests/deliveries.sh - events are handed on: what goes where, in what order, how often,
# and what an operator can do about it.
#
# A whole "hooklatch serve" with nginx, and programs that misbehave in every way.  That
# no acknowledged event is left undelivered by kill -9 is tests/kill.sh's.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

programs
free_port
mkdir "$T/out"
chmod 1777 "$T/out"

# Each says when it begins and ends.
program note <<'END'
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
END
program slow <<'END'
echo "begin $HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
sleep 0.05
echo "end $HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
END
program deploy <<'END'
cat >"$OUT/deployed" && echo "deployed $HOOKLATCH_EVENT_ID as $DEPLOY_AS with $DEPLOY_TOKEN_FILE"
END
program mended <<'END'
[ -e "$OUT/mended.now" ] || { echo "not yet"; exit 75; }
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/$HOOKLATCH_DESTINATION"
END
program refuses <<'END'
echo "$HOOKLATCH_EVENT_ID is none of ours"
exit 65
END
# Of the event "a-1" nothing will come until it is mended.
program stuck <<'END'
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/stuck.tried"
case $HOOKLATCH_EVENT_ID in
a-1) [ -e "$OUT/stuck.mended" ] || exit 1 ;;
esac
echo "$HOOKLATCH_EVENT_ID" >>"$OUT/stuck"
END
program hangs <<'END'
trap '' TERM
echo $$ >>"$OUT/hangs.pids"
while :; do sleep 1; done
END
program floods <<'END'
echo $$ >>"$OUT/hangs.pids"
exec yes flood
END

conf() {
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"hooks": {
		"/hooks/github": { "provider": "github", "secret": "plain:$SECRET", "deliver": [
			{ "to": "staging", "when": { "type": "push", "body:ref": "refs/heads/main" } },
			{ "to": "releases", "when": { "body:ref": { "like": "refs/tags/v*" } } },
			{ "to": "listed", "when": { "type": ["ping", "push"], "header:X-Lane": ["a", "b"], "body:forced": false } }
		] },
		"/hooks/out": { "provider": "github", "secret": "plain:$SECRET", "deliver": [ "relay", "letter" ] },
		"/hooks/relay": { "provider": "standard-webhooks", "secret": "file:@T@/whsec" },
		"/hooks/letter/push": { "provider": "bearer", "secret": "file:@T@/token" },
		"/hooks/many": { "provider": "github", "secret": "plain:$SECRET", "deliver": [ "one", "each", "last" ] },
		"/hooks/keyed": { "provider": "github", "secret": "plain:$SECRET", "deliver": "stuck" },
		"/hooks/away": { "provider": "github", "secret": "plain:$SECRET", "deliver": [ "mended", "refuses", "limited" ] },
		"/hooks/bad": { "provider": "github", "secret": "plain:$SECRET", "deliver": [ "hangs", "floods", "missing", "note" ] }${HOOKS:-}
	},
	"destinations": {
		"staging": { "exec": ["@T@/bin/deploy", "staging"], "one_at_a_time": true,
		    "environment": { "DEPLOY_AS": "staging", "DEPLOY_TOKEN_FILE": "/run/token" } },
		"releases": { "exec": "@T@/bin/note" },
		"listed": { "exec": "@T@/bin/note" },
		"relay": { "http": "http://127.0.0.1:$PORT/hooks/relay", "sign": "file:@T@/whsec" },
		"letter": { "http": "http://127.0.0.1:$PORT/hooks/letter/{type}", "bearer": "file:@T@/token",
		    "headers": { "X-Was": "{event_id}" }, "body": "{\"branch\": {body:ref}, \"id\": \"{event_id}\"}" },
		"one": { "exec": "@T@/bin/slow", "one_at_a_time": true },
		"each": { "exec": "@T@/bin/slow", "serialize_by": "body:lane" },
		"last": { "exec": "@T@/bin/note", "latest_wins": true, "delay": "1500ms" },
		"stuck": { "exec": "@T@/bin/stuck", "serialize_by": "body:lane",
		    "retry": { "first": "50ms", "most": "100ms" } },
		"mended": { "exec": "@T@/bin/mended", "retry": { "first": "100ms", "most": "200ms" } },
		"refuses": { "exec": "@T@/bin/refuses" },
		"limited": { "exec": "@T@/bin/mended", "retry": { "first": "10ms", "most": "20ms", "tries": 3 } },
		"hangs": { "exec": "@T@/bin/hangs", "timeout": "${HANG:-1h}" },
		"floods": { "exec": "@T@/bin/floods", "timeout": "${HANG:-1h}" },
		"missing": { "exec": "@T@/bin/nothing-here" },
		"note": { "exec": "@T@/bin/note" }${DESTINATIONS:-}
	}
}
END
}

# give PATH ID JSON [HEADER]
give() {
	printf '%s' "$3" >"$T/body"
	STATUS=$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 \
	    -H "X-GitHub-Delivery: $2" -H 'Content-Type: application/json' \
	    -H 'X-GitHub-Event: push' ${4:+-H "$4"} \
	    -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$T/body")" \
	    --data-binary "@$T/body" "http://127.0.0.1:$PORT$1")
	[ "$STATUS" = 200 ] || broken "$1 $2 is taken ($STATUS)"
}

hooklatch() {
	local command=$1
	shift
	"$T/bin/hooklatch" "$command" "$@" --config "$T/hooklatch.json"
}

# state ID DESTINATION: where the delivery of the event with this id of GitHub's stands
state() {
	sql "SELECT CASE state WHEN 0 THEN 'waits' WHEN 1
	    THEN 'behind' WHEN 2 THEN 'done' WHEN 3 THEN 'dead' ELSE 'left-out' END
	    FROM deliveries d JOIN events e ON e.n = d.event
	    WHERE e.event_id = '$1' AND d.destination = '$2'"
}

# stands ID DESTINATION STATE
stands() {
	[ "$(state "$1" "$2")" = "$3" ]
}

said() {
	cat "$T/out/$1" 2>/dev/null || :
}

# lines FILE: how many
lines() {
	said "$1" | wc -l
}

echo "whsec_$(head -c 24 /dev/urandom | base64)" >"$T/whsec"
echo "token-$RANDOM" >"$T/token"
conf
check "it serves" serve_start

# --- the guide's example: push to staging on a commit --------------------------------

PUSH='{"ref":"refs/heads/main","after":"1234"}'
give /hooks/github g-1 "$PUSH"
give /hooks/github g-2 '{"ref":"refs/heads/other"}'
give /hooks/github g-3 '{"ref":"refs/tags/v1.0"}'
give /hooks/github g-4 '{"ref":"refs/tags/w"}' "X-Lane: b"
give /hooks/github g-5 '{"forced":true}' "X-Lane: b"
check "a push to main is deployed" within 10 stands g-1 staging "done"
is "with the body as it came" "$PUSH" "$(said deployed)"
is "a push to another branch is not" "" "$(state g-2 staging)"
is "it goes nowhere" 0 "$(sql "SELECT count(*) FROM deliveries d JOIN events e ON
    e.n = d.event WHERE e.event_id = 'g-2'")"
check "a tag that is like the pattern is released" within 10 stands g-3 releases "done"
is "another is not" "" "$(state g-4 releases)"
check "a header of the list, and what must not be there" within 10 stands g-4 listed "done"
is "it is there: not listed" "" "$(state g-5 listed)"
ID=$(events list --json --event-id g-1 | member id)
events show "$ID" >"$T/show"
check "the attempt is recorded with its output" \
    grep -q 'deployed g-1 as staging with /run/token' "$T/show"
like "and its end" "*\"outcome\":\"done\",\"code\":0,*" "$(events show "$ID" --json | tail -n 1)"

# --- over HTTP: to ourselves, who verify it as a provider's ---------------------------

give /hooks/out o-1 "$PUSH"
check "an event goes out over HTTP" within 10 stands o-1 relay "done"
OUT=$(events list --json --event-id o-1 | member id)
RELAYED=$(events list --json --hook /hooks/relay --event-id "$OUT" | member id)
is "signed so that the receiver can verify it, byte for byte" "$PUSH" \
    "$(events show "$RELAYED" --body)"
check "another as its template says" within 10 stands o-1 letter "done"
LETTER=$(events list --json --hook /hooks/letter/push | member id)
is "with what was cut out of the body" '{"branch": "refs/heads/main", "id": "o-1"}' \
    "$(events show "$LETTER" --body)"
check "and its header" eval 'events show "$LETTER" | grep -q "x-was: o-1"'
check "no secret is in the log" eval '! grep -aqF -e "$(cat "$T/token")" -e "$(cat "$T/whsec")" "$T/log/serve"'

# --- order ---------------------------------------------------------------------------

check "lanes are held back" hooklatch destinations pause each
for ((i = 1; i <= 20; i++)); do
	give /hooks/many "m-$i" "{\"lane\":$((i % 4)),\"i\":$i}"
done
check "20 events, one at a time" within 30 eval '[ "$(lines one)" -eq 40 ]'
is "in their order, none before the one before it ended" \
    "$(for ((i = 1; i <= 20; i++)); do printf 'begin m-%d end m-%d ' "$i" "$i"; done)" \
    "$(said one | tr '\n' ' ')"
check "lanes are let go, together" hooklatch destinations resume each
check "20 events by lane" within 30 eval '[ "$(lines each)" -eq 40 ]'
for lane in 0 1 2 3; do
	is "lane $lane is in order" \
	    "$(for ((i = lane == 0 ? 4 : lane; i <= 20; i += 4)); do printf 'begin m-%d end m-%d ' "$i" "$i"; done)" \
	    "$(said each | awk -v lane="$lane" '{ split($2, p, "-") } p[2] % 4 == lane' | tr '\n' ' ')"
done
check "lanes go beside each other" eval '! said each | paste -d" " - - |
    awk "\$2 != \$4 { exit 1 }"'

# On a busy machine they come in several times 1.5 s.
check "of those that came at once only the last goes" within 20 \
    eval '[ "$(said last | tail -n 1)" = m-20 ]'
is "the others were left out" "$((20 - $(lines last)))" \
    "$(sql "SELECT count(*) FROM deliveries WHERE destination = 'last' AND state = 4")"
between "which most were" 10 19 "$((20 - $(lines last)))"
check "and none waits" within 10 eval '[ "$(sql "SELECT count(*) FROM deliveries
    WHERE destination = '\''last'\'' AND state < 2")" -eq 0 ]'

# What fails holds up its own lane and no other.
give /hooks/keyed a-1 '{"lane":"a","i":1}'
give /hooks/keyed a-2 '{"lane":"a","i":2}'
give /hooks/keyed b-1 '{"lane":"b","i":3}'
give /hooks/keyed c-1 '{"i":4}'
check "another lane goes on" within 20 stands b-1 stuck "done"
check "as does what has none" within 20 stands c-1 stuck "done"
check "the one that fails is tried again" within 20 eval \
    '[ "$(grep -c "^a-1$" "$T/out/stuck.tried")" -ge 3 ]'
is "what came after it waits behind it" behind "$(state a-2 stuck)"
touch "$T/out/stuck.mended"
check "mended, it goes" within 20 stands a-1 stuck "done"
check "and the next" within 20 stands a-2 stuck "done"
is "in their order" "a-1 a-2 " "$(said stuck | grep ^a | tr '\n' ' ')"

# --- away, and back --------------------------------------------------------------------

for ((i = 1; i <= 30; i++)); do
	give /hooks/away "w-$i" "{\"i\":$i}"
done
check "what is refused is dead at once" within 20 stands w-1 refuses dead
is "after one attempt" 1 "$(sql "SELECT max(made) FROM deliveries WHERE destination = 'refuses'")"
check "after its tries it is dead" within 60 eval \
    '[ "$(sql "SELECT count(*) FROM deliveries WHERE destination = '\''limited'\'' AND state = 3")" -eq 30 ]'
is "not sooner and not later" "3 3" "$(sql "SELECT min(made), max(made) FROM deliveries
    WHERE destination = 'limited'" | tr '|' ' ')"
check "the others wait" stands w-1 mended waits
check "its circuit closes" grep -q '"destination mended failed' "$T/log/serve"
touch "$T/out/mended.now"
check "when it is back all of them go" within 60 eval '[ "$(lines mended)" -eq 30 ]'
is "each once" 30 "$(said mended | sort -u | wc -l)"
check "which is logged" grep -q 'destination mended answers again' "$T/log/serve"

# --- the operator ----------------------------------------------------------------------

is "deliveries are listed by where they stand" 30 \
    "$(hooklatch deliveries --to limited --state dead --json -n 0 | grep -c '"state":"dead"')"
like "and destinations" "*\"destination\":\"limited\",\"configured\":true,*\"dead\":30,*" \
    "$(hooklatch destinations --json | grep limited)"
is "a dry run says what would go" '{"events":30,"deliveries":30}' \
    "$(events replay --dead --to limited --dry-run --json)"
is "and does nothing" 30 "$(sql "SELECT count(*) FROM deliveries WHERE destination = 'limited' AND state = 3")"
check "a destination is paused" hooklatch destinations pause limited
is "the dead go again" '{"events":30,"deliveries":30}' \
    "$(events replay --dead --to limited --rate 1000 --json)"
like "but not while it is paused" "*\"waits\":30,*" \
    "$(hooklatch destinations --json | grep '"limited"')"
like "which is seen" "*paused since*" "$(hooklatch destinations | grep limited)"
check "it is resumed" hooklatch destinations resume limited
check "they go" within 30 eval '[ "$(lines limited)" -eq 30 ]'
is "one event goes again" '{"events":1,"deliveries":1}' \
    "$(events replay "$ID" --to staging --json)"
check "and is done again" within 10 eval \
    '[ "$(sql "SELECT made FROM deliveries WHERE destination = '\''staging'\''")" -eq 2 ]'
is "to where it never went" '{"events":1,"deliveries":1}' \
    "$(events replay "$ID" --to note --json)"
check "it arrives" within 10 eval 'said note | grep -q "^g-1$"'
is "a range of time goes again" '{"events":20,"deliveries":20}' \
    "$(events replay --hook /hooks/many --since 1h --to one --json)"
check "in its order" within 30 eval '[ "$(lines one)" -eq 80 ]'
is "as before" "$(said one | head -n 40)" "$(said one | tail -n 40)"
check "without a word what, nothing goes" eval '! quietly replay events replay'
check "nor to a destination that there is not" eval '! quietly to events replay "$ID" --to nobody'
is "of one event what is listed is its own" "$ID $ID" \
    "$(hooklatch deliveries --event "$ID" --json -n 0 | sed 's/.*"id":"//; s/".*//' | tr '\n' ' ' | sed 's/ $//')"
is "one page after the other, all are listed" "$(sql 'SELECT count(*) FROM deliveries')" \
    "$(hooklatch deliveries -n 0 --json | sed 's/.*"delivery"://; s/,.*//' | sort -un | wc -l)"
check "nor to a pause of nobody" eval '! quietly pause hooklatch destinations pause nobody'

# What waits, in its order and behind one another, is dropped; what comes then goes.
check "a destination of keys is paused" hooklatch destinations pause one
for ((i = 1; i <= 5; i++)); do
	give /hooks/many "drop-$i" "{\"i\":$i}"
done
like "what comes waits behind the first of its key" '*"waits":1,"behind":4,*' \
    "$(hooklatch destinations --json | grep '"one"')"
is "it is dropped" '{"destination":"one","dropped":5}' \
    "$(hooklatch destinations drop one --json)"
is "once" "0 deliveries for one will not go" "$(hooklatch destinations drop one)"
like "and stands as left out" '*"waits":0,"behind":0,*"left-out":5,*' \
    "$(hooklatch destinations --json | grep '"one"')"
give /hooks/many drop-6 '{"i":6}'
check "it is resumed" hooklatch destinations resume one
check "what came after goes" within 20 stands drop-6 one "done"
is "and nothing of what was dropped" 0 "$(said one | grep -c '^drop-[1-5]' || :)"
is "which may be replayed" '{"events":5,"deliveries":5}' \
    "$(events replay --left-out --to one --dry-run --json)"

# --- bad neighbours --------------------------------------------------------------------

for ((i = 1; i <= 3; i++)); do
	give /hooks/bad "x-$i" "{\"i\":$i}"
done
check "beside what hangs, floods and is not there, the others go" within 20 \
    eval '[ "$(said note | grep -c ^x)" -eq 3 ]'
check "hangs hangs" stands x-1 hangs waits
check "floods floods" stands x-1 floods waits
check "what is not there waits for it" within 10 eval '[ "$(sql "SELECT made FROM deliveries
    WHERE destination = '\''missing'\'' LIMIT 1")" -ge 1 ]'
like "and says so" "*nothing-here*" "$(sql "SELECT sentence FROM attempts a JOIN deliveries d
    ON d.n = a.delivery WHERE d.destination = 'missing' LIMIT 1")"
give /hooks/github g-6 "$PUSH"
check "a push is deployed meanwhile" within 10 stands g-6 staging "done"

# --- ends and starts -------------------------------------------------------------------

# shellcheck disable=SC2046 # numbers
set -- $(cat "$T/out/hangs.pids")
check "they run" alive "$1"
check "it stops in order, in time" serve_stop
check "and leaves none of its programs" eval 'for pid; do ! alive "$pid" || exit 1; done'
is "what was cut short is no failure of its own" "0" \
    "$(sql "SELECT max(tries) FROM deliveries WHERE destination = 'hangs'")"
is "what waits is seen without the courier" 3 \
    "$(hooklatch deliveries --to hangs --json | grep -c '"state":"waits"')"
rm "$T/out/hangs.pids"
check "it starts" serve_start
check "what was cut short begins again" within 10 eval '[ "$(lines hangs.pids)" -ge 6 ]'
kill -9 "$(pid_of courier)"
# shellcheck disable=SC2046 # numbers
set -- $(cat "$T/out/hangs.pids")
check "a courier that is killed leaves no runner" within 10 eval \
    'for pid; do ! alive "$pid" || exit 1; done'
check "it comes back" within 15 healthy
check "what was under way is tried again" within 10 eval '[ "$(lines hangs.pids)" -ge 12 ]'

# A reload: another timeout, another destination, one that is gone.
HANG=300ms HOOKS=', "/hooks/new": { "provider": "github", "secret": "plain:s3cret", "deliver": "new" }' \
    DESTINATIONS=', "new": { "exec": "@T@/bin/note" }' conf
sed -i '/"missing": {/d; s/"missing", //' "$T/hooklatch.json"
kill -HUP "${PID[serve]}"
check "after a reload there is a new one" within 10 eval \
    'give /hooks/new n-1 "{}" >/dev/null; [ "$STATUS" = 200 ] && within 3 stands n-1 new "done"'
like "one that is gone keeps what waits for it" "*\"configured\":false,*\"waits\":3,*" \
    "$(hooklatch destinations --json | grep missing)"
# shellcheck disable=SC2046 # numbers
kill -9 $(tail -n 6 "$T/out/hangs.pids")
check "what hangs is ended in time from here on" within 30 eval \
    'sql "SELECT sentence FROM attempts" | grep -q "ran longer than"'
check "it stops" serve_stop
is "the database is sound" ok "$(sql 'PRAGMA integrity_check')"

[ "$FAILED" -eq 0 ] || why serve
finish deliveries
