#!/usr/bin/env bash
# tests/courier-faults.sh - the courier's disk fails, and nothing untrue is answered.
#
# One batch of events is committed while strace(1) makes one of its writes or syncs
# fail, each of them in turn, with EIO and with ENOSPC, and from then on all; the
# size of files is limited in the middle of a write, so that it is short.  Each time
# all of the batch must be refused, a retry refused while it still fails and stored
# after, each event there exactly once, and the inbox whole.  The same for a body
# that has a file of its own.
#
# Then the courier is killed between the write and the sync, and started anew: the
# first answer must come after a sync.  A build that trusts what it can read is
# found guilty of that first.  Injections are counted in the traces.

. "$(dirname "$0")/lib.sh"
. tests/courier-lib.sh

if ! command -v strace >/dev/null; then
	skip "a failing disk" "needs strace"
	finish courier-faults
fi
courier_tools
# A batch here writes a run of what finds repeats too, or a fault would never meet one.
variant "$BUILD" short-runs hooklatch-courier SEEN_RUN=64
cp "$BUILD/short-runs/hooklatch-courier" "$T/bin/"
courier_conf
EVENTS=20			# a batch of some 180 KB: several writes
CASES=0 INJECTED=0

# thread NAME: its id
thread() {
	local task
	for task in "/proc/${PID[courier]}/task/"*; do
		if [ "$(cat "$task/comm")" = "$1" ]; then
			echo "${task##*/}"
			return
		fi
	done
	return 1
}

# trace TASK ARGS...: strace, attached
trace() {
	local task=$1
	shift
	: >"$T/log/strace"
	rm -f "$T/trace"
	start strace strace -y -p "$task" -o "$T/trace" "$@"
	within 5 grep -q attached "$T/log/strace"
}

untrace() {
	stop strace TERM || :
}

# batch WORD FILE: EVENTS events in one transaction; a lock by hand gathers them.
# Between the two, "meanwhile" is run.
batch() {
	hand_hold "BEGIN IMMEDIATE"
	put -n "$EVENTS" -e "$1-%" >"$2" &
	local putter=$!
	sleep 0.15
	meanwhile
	hand_release
	wait "$putter" || :
}

meanwhile() {
	:
}

again() {
	put -n "$EVENTS" -e "$1-%" >"$2" || :
}

stored() {
	grep -c '^stored' "$1" || :
}

refused() {
	grep -c '^refused' "$1" || :
}

# limit_files BYTES: no file of the courier may be longer; as its own user, for
# root is not always allowed to
limit_files() {
	local me=()
	! as_root || me=(setpriv --reuid hooklatch-courier --regid hooklatch-courier
	    --clear-groups)
	"${me[@]}" prlimit --pid "${PID[courier]}" --fsize="$1:unlimited"
}

# answers: whatever it says
answers() {
	local status=0
	put_verb health || status=$?
	[ "$status" -le 1 ]
}

# all_stored WORD: a retry is stored, whole
all_stored() {
	again "$1" "$T/out"
	[ "$(stored "$T/out")" -eq "$EVENTS" ]
}

# after_fault WORD WHAT: what must hold once the fault is over
after_fault() {
	check "$2: then a retry is stored" within 5 all_stored "$1"
	is "$2: each event is there once" "$EVENTS" \
	    "$(sql "SELECT count(*) FROM events WHERE event_id LIKE '$1-%'")"
	is "$2: the inbox is whole" ok "$(sql "PRAGMA integrity_check")"
	again "$1" "$T/out"
	is "$2: and each is known again" "$EVENTS" "$(grep -c '^stored [^ ]* 1 ' "$T/out")"
}

# --- one batch, each call ----------------------------------------------------------

courier_start
put -e warm >/dev/null
meanwhile() {
	trace "$(thread batch)" -e trace=pwrite64,fdatasync,fsync
}
batch clean "$T/out"
untrace
is "without a fault all are stored" "$EVENTS" "$(stored "$T/out")"
is "in one transaction, which is synced" 1 "$(grep -c 'sync.*inbox.db-wal' "$T/trace")"
WRITES=$(grep -c 'pwrite64.*inbox.db-wal' "$T/trace")
SYNCS=$(grep -c 'fdatasync' "$T/trace")
between "by several writes" 2 40 "$WRITES"
FIRST=$(grep -n 'pwrite64.*inbox.db-wal' "$T/trace" | tail -n 1 | cut -d: -f1)
check "the sync comes after the last write" \
    test "$(grep -n 'sync.*inbox.db-wal' "$T/trace" | cut -d: -f1)" -gt "$FIRST"

# fault CALL NUMBER HOW
fault() {
	local call=$1 number=$2 how=$3 what="$1 $2 $3" word
	CASES=$((CASES + 1))
	word=fault$CASES
	meanwhile() {
		trace "$(thread batch)" -e "trace=pwrite64,fdatasync,fsync" \
		    -e "inject=$call:$how:when=$number+"
	}
	batch "$word" "$T/out"
	is "$what: the whole batch is refused" "$EVENTS" "$(refused "$T/out")"
	again "$word" "$T/out"
	is "$what: a retry is refused while it lasts" "$EVENTS" "$(refused "$T/out")"
	check "$what: and nothing could be taken" fails put_verb health
	untrace
	check "$what: the fault was there" grep -q INJECTED "$T/trace"
	INJECTED=$((INJECTED + $(grep -c INJECTED "$T/trace")))

	after_fault "$word" "$what"
}

for how in error=EIO error=ENOSPC retval=0; do
	for ((i = 1; i <= WRITES; i++)); do
		fault pwrite64 "$i" "$how"
	done
done
for how in error=EIO error=ENOSPC; do
	for ((i = 1; i <= SYNCS; i++)); do
		fault fdatasync "$i" "$how"
	done
done

# A fault that comes once and goes: the courier recovers between two batches.
for call in pwrite64 fdatasync; do
	CASES=$((CASES + 1))
	what="$call once"
	meanwhile() {
		trace "$(thread batch)" -e "trace=pwrite64,fdatasync,fsync" \
		    -e "inject=$call:error=EIO:when=1"
	}
	batch "once-$call" "$T/out"
	is "$what: the batch is refused" "$EVENTS" "$(refused "$T/out")"
	is "$what: and not tried again" 1 "$(grep -c INJECTED "$T/trace")"
	check "$what: a retry is stored, still traced" within 5 all_stored "once-$call"
	untrace
	SYNC=$(grep -n INJECTED "$T/trace" | cut -d: -f1)
	check "$what: the log is checkpointed before that, with its syncs" \
	    test "$(tail -n "+$((SYNC + 1))" "$T/trace" | grep -v INJECTED |
	    grep -cE 'fdatasync.*inbox.db>|fdatasync.*inbox.db-wal>')" -ge 2
	after_fault "once-$call" "$what"
done

# --- short writes -------------------------------------------------------------------------

for extra in 1 24 8216 65536 65537 100000; do
	CASES=$((CASES + 1))
	what="a write cut short after $extra bytes"
	stop courier
	courier_start
	put -e "short-warm$extra" >/dev/null
	size=$(stat -c %s "$INBOX-wal")
	meanwhile() {
		limit_files $((size + extra))
	}
	batch "short$extra" "$T/out"
	is "$what: the batch is refused" "$EVENTS" "$(refused "$T/out")"
	is "$what: it was cut there" "$((size + extra))" "$(stat -c %s "$INBOX-wal" |
	    sed "s/^0$/$((size + extra))/")"
	again "short$extra" "$T/out"
	is "$what: a retry is refused while it lasts" "$EVENTS" "$(refused "$T/out")"
	limit_files unlimited
	after_fault "short$extra" "$what"
done

# --- a body that has a file ------------------------------------------------------------------

head -c 700000 /dev/urandom >"$T/long"
chmod 644 "$T/long"
trace "$(thread bodies)" -e trace=pwrite64,fsync,fdatasync
put -e long-clean -f "$T/long" >/dev/null
untrace
WRITES=$(grep -c 'pwrite64(.*inbox.db.d/' "$T/trace")
SYNCS=$(grep -c 'sync(.*inbox.db.d' "$T/trace")
between "a long body is written piece by piece" 2 10 "$WRITES"
is "and synced, and its folder" 2 "$SYNCS"
FILES=$(find "$INBOX.d" -type f | wc -l)

# fault_of_body CALL NUMBER HOW
fault_of_body() {
	local what="body: $1 $2 $3" word
	CASES=$((CASES + 1))
	word=long$CASES
	trace "$(thread bodies)" -e "trace=pwrite64,fsync" -e "inject=$1:$3:when=$2+"
	like "$what: it is refused" "refused *" "$(put -e "$word" -f "$T/long" || :)"
	like "$what: and again" "refused *" "$(put -e "$word" -f "$T/long" || :)"
	like "$what: others are stored meanwhile" "stored *" "$(put -e "$word-other")"
	untrace
	check "$what: the fault was there" grep -q INJECTED "$T/trace"
	INJECTED=$((INJECTED + $(grep -c INJECTED "$T/trace")))
	is "$what: no file is left" "$FILES" "$(find "$INBOX.d" -type f | wc -l)"
	put -e "$word" -f "$T/long" >"$T/out" || :
	like "$what: then it is stored" "stored * 0 0" "$(cat "$T/out")"
	check "$what: byte for byte" cmp -s "$T/long" \
	    <(show "$(cut -d' ' -f2 "$T/out")")
	FILES=$((FILES + 1))
}

for how in error=EIO error=ENOSPC; do
	for ((i = 1; i <= WRITES; i++)); do
		fault_of_body pwrite64 "$i" "$how"
	done
	for ((i = 1; i <= SYNCS; i++)); do
		fault_of_body fsync "$i" "$how"
	done
done

# The row of a long body cannot be committed: its file goes, or is found again.
for call in pwrite64 fdatasync; do
	CASES=$((CASES + 1))
	what="the row of a long body: $call"
	trace "$(thread batch)" -e "trace=pwrite64,fdatasync,fsync" \
	    -e "inject=$call:error=EIO:when=1"
	like "$what: it is refused" "refused *" "$(put -e "row-$call" -f "$T/long" || :)"
	check "$what: a retry is stored" within 5 put -e "row-$call" -f "$T/long"
	untrace
	is "$what: one event" 1 \
	    "$(sql "SELECT count(*) FROM events WHERE event_id = 'row-$call'")"
	is "$what: no file without its row" \
	    "$(sql "SELECT count(*) FROM events WHERE body IS NULL")" \
	    "$(find "$INBOX.d" -type f | wc -l)"
	check "$what: byte for byte" cmp -s "$T/long" \
	    <(show "$(sql "SELECT id FROM events WHERE event_id = 'row-$call'")")
done
stop courier

# --- killed between the write and the sync ------------------------------------------------------

# sync_before_answer PROGRAM: SYNCS of the inbox between its start and its answer
sync_before_answer() {
	local id
	fresh_inbox
	courier_conf
	courier_start "$1"
	put -e before >/dev/null
	trace "$(thread batch)" -e trace=fdatasync \
	    -e inject=fdatasync:error=EIO:signal=KILL:when=1
	id=01980000-0000-7000-8000-0000000000aa
	put -i "$id" -e unsynced >"$T/out" || :
	is "killed before the sync: no answer" gone "$(cat "$T/out")"
	within 5 gone "${PID[courier]}" || :
	unset "PID[courier]"
	within 5 gone "${PID[strace]}" || :
	stop strace || :
	is "by the signal that came with the sync" 1 \
	    "$(grep -c 'killed by SIGKILL' "$T/trace")"
	INJECTED=$((INJECTED + 1))

	# The worker sends it again, under the same id.
	rm -f "$T/trace"
	start courier strace -D -f -y -o "$T/trace" \
	    -e trace=fdatasync,fsync,sendmsg "$1" -c "$CONF"
	within 10 test -S "$SOCKET"
	within 5 put -i "$id" -e unsynced
	put -i "$id" -e unsynced >"$T/out"
	# Of the messages sent, WIRE_STORED is number 4: the fifth byte.
	SYNCS=$(sed '/sendmsg.*iov_base="\\0\\0\\0.\{1,3\}\\4/q' "$T/trace" |
	    grep -cE 'sync\([0-9]+<[^>]*inbox\.db(-wal)?>' || :)
	check "the answer is in the trace" \
	    grep -q 'sendmsg.*iov_base="\\0\\0\\0.\{1,3\}\\4' "$T/trace"
	stop courier
}

variant build trusting hooklatch-courier TEST_TRUST_WHAT_IS_THERE
cp build/trusting/hooklatch-courier "$T/bin/trusting"
sync_before_answer "$T/bin/trusting"
like "the event that was never synced is there to be read" "stored *" "$(cat "$T/out")"
is "a build that trusts it answers without a sync" 0 "$SYNCS"
sync_before_answer "$T/bin/hooklatch-courier"
like "it is answered as stored" "stored *" "$(cat "$T/out")"
between "but after a sync of the log and the database" 1 20 "$SYNCS"

# --- a start on a failing disk -----------------------------------------------------------------------

fresh_inbox
courier_conf
courier_start
put -e before >/dev/null
kill -KILL "${PID[courier]}"
within 5 gone "${PID[courier]}"
unset "PID[courier]"
start courier strace -D -I 2 -f -y -o "$T/trace" \
    -e trace=fdatasync,fsync \
    -e inject=fdatasync,fsync:error=EIO "$T/bin/hooklatch-courier" -c "$CONF"
within 10 answers
like "a start whose checkpoint fails answers 503" "refused 2 *" "$(put -e before || :)"
like "... again" "refused 2 *" "$(put -e another || :)"
INJECTED=$((INJECTED + $(grep -c INJECTED "$T/trace")))
tracer=$(awk '/^TracerPid:/ { print $2 }' "/proc/${PID[courier]}/status")
kill "$tracer"
check "when the disk is well again, it recovers" within 5 put_verb health
like "and knows what it had" "stored * 1 1" "$(put -e before)"
stop courier

between "injections were counted" "$CASES" 1000000 "$INJECTED"
echo "courier-faults: $CASES faults, $INJECTED injections"
finish courier-faults
