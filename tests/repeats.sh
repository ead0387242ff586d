#!/usr/bin/env bash
# tests/repeats.sh - what is the same event, and what only looks like it.
# DESIGN.md, promise 4: a repeat is the same id, as well proven as the body.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

programs
make_tool sender
mkdir "$T/b"

serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"hooks": {
		"/hooks/github": { "provider": "github", "secret": "plain:$SECRET" },
		"/hooks/once": { "provider": "github", "secret": "plain:$SECRET", "replay": "refuse" },
		"/hooks/dropbox": { "provider": "dropbox", "secret": "plain:$SECRET" },
		"/hooks/plain": { "provider": "secret-header", "secret": "plain:$SECRET" },
		"/hooks/many": { "provider": "github", "secret": "plain:$SECRET" },
		"/hooks/crash": { "provider": "github", "secret": "plain:$SECRET" },
		"/hooks/ids": {
			"provider": {
				"bodies": ["json"],
				"signature": { "header": "X-Sig", "form": "sha256={sig:hex}", "algorithm": "hmac-sha256" },
				"event": { "id": "body:id", "proven": true }
			},
			"secret": "plain:$SECRET"
		}
	}
}
END
check "serve starts" serve_start

# body NAME TEXT: a file, and its name in $FILE
body() {
	FILE=$T/b/$1
	printf '%s' "$2" >"$FILE"
}

# rows FILTER...: how many events there are
rows() {
	events list --json --limit 0 "$@" | wc -l
}

# column NAME FILTER...: one member of each event, sorted, in one line
column() {
	local name=$1
	shift
	events list --json --limit 0 "$@" | member "$name" | sort | tr '\n' ' '
}

# marked NAME FILTER...: how many are marked so
marked() {
	local name=$1
	shift
	events list --json --limit 0 "$@" | grep -c "\"$name\":true" || :
}

# --- an id that is not signed ----------------------------------------------------------

# Where nothing is signed the id is all there is: here a stranger who knows the
# secret can claim an id before its event comes, and the event is lost.
plain() {
	curl -s -o /dev/null -w '%{http_code}' -H "Secret: $SECRET" \
	    -H "Idempotency-Key: $1" -d "$2" "http://127.0.0.1:$PORT/hooks/plain"
}
is "nothing signed: an id is claimed" 200 "$(plain claimed '{"old":1}')"
is "nothing signed: the event of that id" 200 "$(plain claimed '{"new":1}')"
is "nothing signed: the attack succeeds, one event" 1 \
    "$(rows --hook /hooks/plain)"

# GitHub signs the body and not the id: the same attack, with an old delivery that
# was overheard.
body old '{"old":1}'
old=$FILE
body new '{"new":1}'
is "an old delivery" 200 "$(push first "$old")"
is "the same bytes under the id of the next" 200 "$(push next "$old")"
is "the next, with its own bytes" 200 "$(push next "$FILE")"
is "signed: the attack fails, all three are stored" 3 \
    "$(rows --hook /hooks/github)"
is "the same bytes under another id are marked" 1 \
    "$(marked other_id --hook /hooks/github)"
is "the same id with other bytes is marked" 1 \
    "$(marked other_body --hook /hooks/github)"
check "and logged as a warning" within 2 \
    grep -q '"WARNING".*other-body.*"event_id":"next"' "$T/log/serve"
is "the next once more is a repeat" 200 "$(push next "$FILE")"
is "so is the overheard one" 200 "$(push next "$old")"
is "neither is another event" 3 "$(rows --hook /hooks/github)"
is "each is counted with its own" "0 1 1 " "$(column repeats --hook /hooks/github)"

# --- "replay": "refuse" ------------------------------------------------------------------

body a '{"a":1}'
is "once: stored" 200 "$(push one "$FILE" /hooks/once)"
is "once: its repeat is no replay" 200 "$(push one "$FILE" /hooks/once)"
is "once: the same bytes under another id" 401 "$(push two "$FILE" /hooks/once)"
is "once: and under none" 401 "$(push "" "$FILE" /hooks/once)"
is "once: and under another again" 401 "$(push three "$FILE" /hooks/once)"
is "once: one event" 1 "$(rows --hook /hooks/once)"
body b '{"b":1}'
is "once: other bytes under the first id" 200 "$(push one "$FILE" /hooks/once)"
is "once: they are an event" 2 "$(rows --hook /hooks/once)"

# --- no id -----------------------------------------------------------------------------------

body d '{"list_folder":{"accounts":["dbid:1"]}}'
for _ in 1 2 3; do
	is "Dropbox says the same again" 200 "$(curl -s -o /dev/null \
	    -w '%{http_code}' -H 'Content-Type: application/json' \
	    -H "X-Dropbox-Signature: $(hmac_hex "$SECRET" "$FILE")" \
	    --data-binary "@$FILE" "http://127.0.0.1:$PORT/hooks/dropbox")"
done
is "equal bodies without ids are events of their own" "0 0 0 " \
    "$(column repeats --hook /hooks/dropbox)"

# --- strange ids -------------------------------------------------------------------------------

# ids TEXT: posts {"id":TEXT,"n":N}, twice
n=0
ids() {
	local at
	n=$((n + 1))
	body "id$n" "{\"id\":$1,\"n\":$n}"
	for at in 1 2; do
		is "id ${1:0:40}, time $at" 200 "$(curl -s -o /dev/null \
		    -w '%{http_code}' -H 'Content-Type: application/json' \
		    -H "X-Sig: sha256=$(hmac_hex "$SECRET" "$FILE")" \
		    --data-binary "@$FILE" "http://127.0.0.1:$PORT/hooks/ids")"
	done
}

# stored_as TEXT ID: it is known by that id, and its repeat was merged
stored_as() {
	ids "$1"
	is "id ${1:0:40} is known as ${2:0:40}, its repeat too" "1 1" \
	    "$(rows --hook /hooks/ids --event-id="$2") $(events list --json \
		--limit 0 --hook /hooks/ids --event-id="$2" | member repeats)"
}

# no_id TEXT: it has none, and its repeat is an event
no_id() {
	local before after
	before=$(rows --hook /hooks/ids)
	ids "$1"
	after=$(rows --hook /hooks/ids)
	is "id ${1:0:40} is no id, twice" 2 $((after - before))
}

long=$(printf '%0255d' 7)
stored_as '"evt_1"' evt_1
stored_as 42 42
stored_as 0 0
stored_as -1 -1
stored_as 1.50 1.50
stored_as 1e400 1e400
stored_as 123456789012345678901234567890123456789 \
    123456789012345678901234567890123456789
stored_as 123456789012345678901234567890123456788 \
    123456789012345678901234567890123456788
stored_as 9007199254740993 9007199254740993
stored_as 9007199254740992 9007199254740992
stored_as '"\u0041\u00e9"' "$(printf 'A\303\251')"
stored_as "\"$long\"" "$long"
stored_as "\"' OR 1=1 --\"" "' OR 1=1 --"
no_id '""'
no_id "\"x$long\""
no_id null
no_id true
no_id '[1]'
no_id '{"a":1}'
no_id "1$long"

# The header of a provider that has its id there.
body h '{"h":1}'
for id in "" "" "x$long" "x$long"; do
	is "a header's id of ${#id} bytes" 200 "$(push "$id" "$FILE" /hooks/many)"
done
is "an empty or long header is no id: four events" 4 "$(rows --hook /hooks/many)"

# --- the same event from 8 senders at once -----------------------------------------------

# eight PATH EVENTS BYTES [RATE]: prints how many were acknowledged
eight() {
	local i names=() total=0
	for i in 1 2 3 4 5 6 7 8; do
		rm -f "$T/log/sender$i"
		start "sender$i" "$T/bin/sender" -p "$PORT" -P "$1" -c 2 -n "$2" \
		    -b "$3" -R "${4:-0}" -s "$SECRET" -i "${1##*/}"
		names+=("sender$i")
	done
	[ -z "${5:-}" ] || "$5"
	for i in "${names[@]}"; do
		within 90 gone "${PID[$i]}" || broken "$i came to its end"
		unset "PID[$i]"
		total=$((total + $(sent acknowledged "$T/log/$i")))
	done
	ACKNOWLEDGED=$total
}

# each PROMISE EVENTS LOW HIGH: rows of /hooks/crash, and repeats of each
each() {
	local got
	got=$(events list --json --limit 0 --hook /hooks/crash | member repeats |
	    awk -v low="$3" -v high="$4" '$1 < low || $1 > high { bad++ }
		END { print NR, bad + 0 }')
	is "$1: $2 events, each with $3 to $4 repeats" "$2 0" "$got"
}

eight /hooks/crash 100 500
is "8 senders of 100 events are all acknowledged" 800 "$ACKNOWLEDGED"
each "8 senders" 100 7 7

# Long bodies lie in files of their own: one for each event.
eight /hooks/many 2 600000
is "8 senders of long bodies are all acknowledged" 16 "$ACKNOWLEDGED"
is "long bodies: 2 more events" 6 "$(rows --hook /hooks/many)"
is "long bodies: 2 files" 2 "$(find "$T/inbox/inbox.db.d" -type f | wc -l)"

# --- across a crash, across a restart ------------------------------------------------------

crash() {
	local i pid
	for i in 1 2 3; do
		sleep 0.4
		pid=$(pid_of courier)
		kill -9 "$pid"
		check "the killed courier is gone" within 5 gone "$pid"
		check "another one serves" within 10 healthy
	done
}
eight /hooks/crash 400 500 200 crash
is "all are acknowledged though the courier died three times" 3200 "$ACKNOWLEDGED"
# What was committed and not yet answered when it died is sent once more.
events list --json --limit 0 --hook /hooks/crash >"$T/list"
is "each event is there once" 400 "$(member event_id <"$T/list" | sort -u | wc -l)"
is "and no more" 400 "$(wc -l <"$T/list")"
check "each was repeated at least 7 times" awk '$1 < 7 { exit 1 }' \
    <(member repeats <"$T/list")

crashed() {
	events list --json --limit 0 --hook /hooks/crash | member repeats |
	    awk '{ n += $1 } END { print n }'
}
before=$(crashed)
check "it stops" serve_stop
check "it starts again" serve_start
eight /hooks/crash 400 500
is "all are acknowledged after the restart" 3200 "$ACKNOWLEDGED"
is "none of them is another event" 400 "$(rows --hook /hooks/crash)"
is "each came 8 times more" $((before + 3200)) "$(crashed)"
is "an id that was claimed before the restart still suppresses nothing" 200 \
    "$(push next "$T/b/a")"
is "and is marked" 2 "$(marked other_body --hook /hooks/github)"
body a '{"a":1}'
is "a replay is refused after the restart too" 401 \
    "$(push four "$FILE" /hooks/once)"
check "it stops" serve_stop

[ "$FAILED" -eq 0 ] || why serve
finish repeats
