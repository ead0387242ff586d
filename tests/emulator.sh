# shellcheck shell=bash
# tests/emulator.sh - Google's own emulator of Pub/Sub, where the machine has it.
# Sourced after lib.sh.
#
#	emulator_missing	prints why it cannot be tried here, or nothing
#	emulator_start PORT	starts it as "emulator"; emulator_up says when it answers
#	emulator_up PORT
#	emulator PORT METHOD PATH [JSON]	asks it
#
# HOOKLATCH_PUBSUB_EMULATOR names its program where it is neither in PATH nor in
# gcloud's folder.  It keeps nothing when it ends, topics neither.

emulator_program() {
	local gcloud name=cloud-pubsub-emulator
	if [ -n "${HOOKLATCH_PUBSUB_EMULATOR:-}" ]; then
		echo "$HOOKLATCH_PUBSUB_EMULATOR"
		return
	fi
	command -v "$name" && return
	# gcloud stands in its folder's bin/, or is a link to it: asking it takes a second
	gcloud=$(readlink -f "$(command -v gcloud)" 2>/dev/null) || return 0
	ls "${gcloud%/bin/gcloud}/platform/pubsub-emulator/bin/$name" 2>/dev/null || :
}

emulator_missing() {
	if [ ! -x "$(emulator_program)" ]; then
		echo "Google's emulator of Pub/Sub is not here (HOOKLATCH_PUBSUB_EMULATOR names it)"
	elif ! command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java" >/dev/null; then
		echo "Google's emulator of Pub/Sub wants Java"
	fi
}

emulator_start() {
	# it becomes java: one process, and it can be killed by its number
	JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx192m" \
	    start emulator "$(emulator_program)" --host=127.0.0.1 "--port=$1"
}

emulator_up() {
	curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$1/"
}

emulator() {
	curl -sf --max-time 10 -X "$2" -H 'Content-Type: application/json' \
	    ${4:+-d "$4"} "http://127.0.0.1:$1$3"
}
