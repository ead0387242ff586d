#!/usr/bin/env bash
# tests/courier.sh - the courier by itself, spoken to as a worker and an operator.
#
# Who may come in, what it says when it cannot take an event, locks and readers
# by hand, a full disk, its end and its next start.  The disk's faults are in
# courier-faults.sh, what a repeat is in tests/unit/test_inbox.c.

. "$(dirname "$0")/lib.sh"
. tests/courier-lib.sh

courier_tools
HANDLER=hooklatch

# --- the first start -------------------------------------------------------------

courier_conf
courier_start
is "an event is stored, and answered with its id" "stored * 0 0" \
    "$(put -e first | sed -E "s/$UUID/*/")"
is "the same again is a repeat of it" "stored * 1 1" \
    "$(put -e first | sed -E "s/$UUID/*/")"
is "it says that it could take one" "stored - 0 0" "$(put_verb health)"
is "an operator sees it" "1 * /hooks/test first 7168 0 1" \
    "$(list | head -n 1 | sed -E "s/$UUID/*/")"
is "and its body, byte for byte" "$(body 0)" "$(show "$(list -l 1 | sed -n '1s/^1 \([^ ]*\).*/\1/p')")"
like "what is not there is said" 1 "$(show 01980000-0000-7000-8000-000000000001 \
    >/dev/null && echo 0 || echo 1)"

head -c 3000000 /dev/urandom >"$T/long"
chmod 644 "$T/long"
put -e long -f "$T/long" >"$T/out"
like "a long body is stored" "stored * 0 0" "$(cat "$T/out")"
LONG=$(cut -d' ' -f2 "$T/out")
check "as a file beside the inbox" test -f "$INBOX.d/$LONG"
check "and comes back as it was" cmp -s "$T/long" <(show "$LONG")
like "its repeat is one" "stored $LONG 1 1" "$(put -e long -f "$T/long")"
is "and leaves no second file" 1 "$(find "$INBOX.d" -type f | wc -l)"
like "sent again under our own id it is the same" "stored $LONG 0 1" \
    "$(put -i "$LONG" -e long -f "$T/long")"
check "and still comes back" cmp -s "$T/long" <(show "$LONG")

# --- who may come in ------------------------------------------------------------------

is "nonsense ends the connection" gone "$(put -x)"
check "and is logged" grep -q "out of order" "$T/log/courier"
like "others go on" "stored *" "$(put -e after-nonsense)"
if as_root; then
	is "the inbox is its user's alone" "600 hooklatch-courier" \
	    "$(stat -c '%a %U' "$INBOX")"
	is "the bodies too" "700 hooklatch-courier" "$(stat -c '%a %U' "$INBOX.d")"
	is "the folder lets the handler pass" "750 hooklatch-courier hooklatch" \
	    "$(stat -c '%a %U %G' "$(dirname "$INBOX")")"
	is "the socket is for the handler's group" "660 hooklatch" \
	    "$(stat -c '%a %G' "$SOCKET")"
	is "nothing of root is left to it" "$(id -u hooklatch-courier)" \
	    "$(awk '/^Uid:/ { print ($2 == $3 && $3 == $4) ? $2 : "mixed" }' \
	    "/proc/${PID[courier]}/status")"
	like "the handler's user may put" "stored *" \
	    "$(as "$HANDLER" "$HANDLER" put -e by-handler)"
	is "but it is no operator" gone "$(as "$HANDLER" "$HANDLER" list || :)"
	is "a stranger is not let in, in whatever group" gone \
	    "$(as nobody "$HANDLER" put || :)"
	check "which is logged" grep -q "is not let in" "$T/log/courier"
	check "a stranger without the group cannot even connect" \
	    fails as nobody nogroup put
	check "nobody reads its memory" fails setpriv --reuid hooklatch-courier \
	    --regid hooklatch-courier --clear-groups \
	    head -c 1 "/proc/${PID[courier]}/environ"
else
	skip "two users" "needs root"
fi

# --- the manual's examples --------------------------------------------------------------

# The blocks of the page, each ended by a zero byte.
awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0; printf "%c", 0 } on' \
    man/hooklatch-inbox.5 >"$T/examples"
examples=0
while IFS= read -rd '' example; do
	examples=$((examples + 1))
	check "hooklatch-inbox(5): $example" quietly examples \
	    sh -c "cd '$(dirname "$INBOX")' && $example"
done <"$T/examples"
between "they were found" 5 20 "$examples"
check "the one that writes a body writes it" \
    test "$(stat -c %s "$(dirname "$INBOX")/body.json")" -eq 7168

# --- many at once --------------------------------------------------------------------------

put -q -n 3000 -w 300 -e 'many%' >"$T/many.1" &
one=$!
put -q -n 3000 -w 300 -e 'many%' >"$T/many.2" &
two=$!
wait "$one" "$two"
is "two workers send the same 3000 at once: all are answered" "3000 stored 3000 stored" \
    "$(cut -d, -f1 "$T/many.1" "$T/many.2" | xargs)"
is "and each is there once" "3000 3000" "$(sql "SELECT count(*), sum(repeats) FROM events
    WHERE event_id LIKE 'many%'" | tr '|' ' ')"
is "a list shows all of them, in order" "3000" "$(list | grep -c ' many')"
is "... from a cursor" "5" "$(list -a 5 -l 5 | grep -c hooks)"
is "... and the newest first" "$(list | tail -n 2 | head -n 1 | cut -d' ' -f1)" \
    "$(list -N -l 1 | head -n 1 | cut -d' ' -f1)"
pids=()
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	put -q -n 1 -w 1 -e "op$i" >/dev/null &
	pids+=($!)
	list >/dev/null &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || :	# of the operators eight at a time
done
like "many come and go" "stored *" "$(put -e and-go)"

# --- locks and readers by hand ---------------------------------------------------------------

hand_hold "BEGIN IMMEDIATE"
from=$(now_ms)
put -e waits >"$T/waits" &
waits=$!
sleep 0.3
hand_release
wait "$waits"
like "a lock by hand is waited for" "stored *" "$(cat "$T/waits")"
hand_hold "BEGIN IMMEDIATE"
from=$(now_ms)
like "but not past the deadline" "refused 1 *lock*" "$(put -e too-long)"
between "... which is 1 s, less a tenth" 850 1400 $(($(now_ms) - from))
sleep 0.3
like "meanwhile it says that it could take none" "refused 1 *lock*" \
    "$(put_verb health || :)"
hand_release
check "and then it goes on" within 2 put -e too-long
is "nothing of it was kept twice" 1 \
    "$(sql "SELECT count(*) FROM events WHERE event_id = 'too-long'")"

# A build whose bounds are 16 KiB where they are 1 MiB: 4 MiB and 16 MiB.
stop courier
variant build small hooklatch-courier MIB=16384
courier_start build/small/hooklatch-courier
hand_hold "BEGIN" "SELECT count(*) FROM events"
put -q -n 3000 -w 200 -e 'held%' >"$T/held" || :
like "a log that a reader holds is refused in the end" "*[1-9]* refused*" \
    "$(cat "$T/held")"
between "... at its bound" 15000000 20000000 "$(stat -c %s "$INBOX-wal")"
check "it is said before that" grep -q "a reader holds it open" "$T/log/courier"
like "it says that it could take none" "refused 1 *reader*" \
    "$(put_verb health || :)"
hand_release
check "and recovers by itself" within 5 put -e held-no-more
put -q -n 200 -w 50 -e 'unheld%' >/dev/null
between "the log is begun anew" 0 15000000 "$(stat -c %s "$INBOX-wal")"
stop courier

# --- limits ------------------------------------------------------------------------------------

fresh_inbox
courier_conf '"inbox_bytes": "2m", "inbox_keep": "1h"'
courier_start
put -q -n 1000 -w 20 -e 'fill%' >"$T/fill" || :
like "an inbox past its bytes refuses" "*[1-9]* refused*" "$(cat "$T/fill")"
like "with a reason" "refused 1 the inbox is full" "$(put -e no-room || :)"
like "and says that it could take none" "refused 1 *full*" "$(put_verb health || :)"
courier_conf '"inbox_bytes": "200m"'
kill -HUP "${PID[courier]}"
check "a larger limit helps at once" within 3 put -e room
courier_conf '"inbox_bytes": "nonsense"'
kill -HUP "${PID[courier]}"
check "a bad file is refused" within 3 grep -q "the old configuration stays" "$T/log/courier"
like "... and changes nothing" "stored *" "$(put -e still-room)"
stop courier

fresh_inbox
courier_conf '"inbox_bytes": "4m", "inbox_keep": "0"'
courier_start
put -q -n 3000 -w 20 -e 'ring%' >"$T/ring" || :
like "where the oldest may go, all are taken" "3000 stored, 0 refused*" \
    "$(cat "$T/ring")"
check "some went" test "$(sql "SELECT min(n) FROM events")" -gt 1000
check "the youngest is there" test -n "$(sql "SELECT id FROM events
    WHERE event_id = 'ring2999'")"
like "one that went is known" "stored * 1 1" "$(put -e ring1)"
stop courier

# --- a full disk --------------------------------------------------------------------------------

courier_conf
if as_root && mount -t tmpfs -o size=6m,mode=755 none "$T/small" 2>/dev/null; then
	INBOX=$T/small/in/inbox.db SOCKET=$T/small/in/inbox.db.sock
	courier_conf
	courier_start
	put -q -n 2000 -w 20 -e 'full%' >"$T/full" || :
	like "a full disk refuses" "*[1-9]* refused*" "$(cat "$T/full")"
	# Settling anew can free what the log had: then there is room for a few more.
	says_full() {
		put -q -n 200 -w 20 -e 'more%' >"$T/more" || :
		[[ $(put_verb health || :) == "refused 1 "*disk* ]]
	}
	check "and says so" within 10 says_full
	like "long bodies are refused too" "refused *" "$(put -f "$T/long" || :)"
	is "and leave nothing" 0 "$(find "$INBOX.d" -type f | wc -l)"
	mount -o remount,size=60m "$T/small"
	check "with room it recovers by itself, asked by nobody" \
	    within 5 put_verb health
	like "... really" "stored *" "$(put -e full-no-more)"
	is "all that was answered is there" "$(cut -d' ' -f1 "$T/full")" \
	    "$(sql "SELECT count(*) FROM events WHERE event_id LIKE 'full%'
	    AND event_id <> 'full-no-more'")"
	is "and the inbox is whole" ok "$(sql "PRAGMA integrity_check")"
	stop courier
	umount "$T/small"
else
	skip "a full disk" "needs root and mount(2)"
fi
inbox_place

# --- the end, and the next start ------------------------------------------------------------------

fresh_inbox
courier_conf
courier_start
put -q -n 100000 -w 100 -e 'stop%' -t 3000 >"$T/stopped" 2>/dev/null &
load=$!
sleep 0.7
from=$(now_ms)
kill -TERM "${PID[courier]}"
check "it stops in order under load" within 8 gone "${PID[courier]}"
between "... within 8 s" 0 8000 $(($(now_ms) - from))
wait "$load" || :
is "what was answered is there" "$(sed -n 's/^\([0-9]*\) stored.*/\1/p' "$T/stopped")" \
    "$(sql "SELECT count(*) FROM events")"
check "the socket is gone" test ! -e "$SOCKET"
check "the log was checkpointed" test ! -s "$INBOX-wal"
unset "PID[courier]"

mkfifo "$T/line"
exec {hold}<>"$T/line"
"$T/bin/hooklatch-courier" -c "$CONF" --lifeline 5 5<"$T/line" \
    >>"$T/log/courier" 2>&1 {hold}>&- &
child=$!
within 5 test -S "$SOCKET"
like "with a lifeline it serves" "stored *" "$(put -e alive)"
exec {hold}>&-
check "without it, it stops" within 5 gone "$child"
status=0
wait "$child" || status=$?
is "with status 0" 0 "$status"

courier_start
put -n 50 -e 'kept%' >"$T/acknowledged"
mkdir "$T/stray"
touch "$INBOX.d/01980000-0000-7000-8000-00000000dead"
kill -KILL "${PID[courier]}"
within 5 gone "${PID[courier]}"
unset "PID[courier]"
check "after kill -9 there is a log" test -s "$INBOX-wal"
is "an operator reads it with the service stopped" 50 \
    "$(read_only list | grep -c ' kept')"
check "... and the log is still there" test -s "$INBOX-wal"
courier_start
is "the next start has every event that was acknowledged" \
    "$(cut -d' ' -f2 "$T/acknowledged" | sort)" \
    "$(sql "SELECT id FROM events WHERE event_id LIKE 'kept%'" | sort)"
check "and swept the body without an event" \
    test ! -e "$INBOX.d/01980000-0000-7000-8000-00000000dead"
is "an operator may also read beside a running courier" 50 \
    "$(read_only list | grep -c ' kept')"
is "and may not write" "" "$(read_only put 2>&1 | grep stored || :)"
check "a second courier for one inbox does not start" \
    fails timeout 10 "$T/bin/hooklatch-courier" -c "$CONF"
sed "s|\"courier\": *\"[^\"]*\"|\"courier\": \"unix:$T/other.sock\"|" "$CONF" >"$T/other.json"
chmod 644 "$T/other.json"
check "... nor behind another socket" \
    fails timeout 10 "$T/bin/hooklatch-courier" -c "$T/other.json"
like "the first goes on" "stored *" "$(put -e goes-on)"
mv "$INBOX" "$INBOX.gone"
check "an inbox that somebody takes away is noticed" \
    within 5 grep -q "somebody has removed or replaced it" "$T/log/courier"
check "and another one begun" within 5 put -e anew
is "which is where it should be" 1 "$(sql "SELECT count(*) FROM events
    WHERE event_id = 'anew'")"
stop courier

# --- what cannot be an inbox ------------------------------------------------------------------------

echo "this is no database, but it is long enough to be read as the head of one" \
    >"$T/no.db"
printf '%8000s' x >>"$T/no.db"
sed "s|sqlite:$INBOX|sqlite:$T/no.db|" "$CONF" >"$T/no.json"
chmod 644 "$T/no.json" "$T/no.db"
status=0
timeout 10 "$T/bin/hooklatch-courier" -c "$T/no.json" >"$T/no.out" 2>&1 || status=$?
check "what is no database is refused" test "$status" -ne 0
status=0
"$T/bin/hooklatch-courier" --nonsense >"$T/no.out" 2>&1 || status=$?
is "an unknown option: 64" 64 "$status"
like "the version is said" "hooklatch-courier *" \
    "$("$T/bin/hooklatch-courier" --version)"

finish courier
