#!/usr/bin/env bash
# tests/stranger.sh - who may be the courier: a 2xx rests on what listens at its
# socket, so a handler believes the courier's user, root and itself, nobody else.
#
# A process that listens and says nothing stands for the impostor: what counts is
# whether the handler speaks to it at all.

. "$(dirname "$0")/lib.sh"

if ! as_root; then
	skip "a stranger at the courier's socket" "it takes root to be somebody else"
	finish stranger
fi
cp "$BUILD/hooklatch.fcgi" "$T/bin/"
cat >"$T/conf.json" <<END
{
	"inbox": "sqlite:$T/socket/inbox.db",
	"courier": "unix:$T/socket/courier.sock",
	"volatile": true,
	"limits": { "deadline": "1s" },
	"hooks": {}
}
END
chmod 644 "$T/conf.json"

# as USER COMMAND...
as() {
	local user=$1
	shift
	setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@"
}

# asked: why the handler, run as plain CGI, could not take an event now
asked() {
	as hooklatch env -i REQUEST_METHOD=GET REQUEST_URI=/health \
	    HOOKLATCH_CONFIG="$T/conf.json" "ASAN_OPTIONS=$ASAN_OPTIONS" \
	    timeout 10 "$T/bin/hooklatch.fcgi" </dev/null 2>&1 >"$T/answer" |
	    grep -oE '"reason":"[^"]*"' || :
}

# listening USER: somebody there who takes connections and never answers
listening() {
	rm -rf "$T/socket"
	mkdir "$T/socket"
	chown "$1" "$T/socket"
	# shellcheck disable=SC2016 # perl's, not the shell's
	start listener setpriv --reuid "$1" --regid "$(id -g "$1")" \
	    --clear-groups perl -e 'use Socket; $SIG{ALRM} = sub { exit }; alarm 30;
		socket(S, PF_UNIX, SOCK_STREAM, 0) or die;
		bind(S, sockaddr_un($ARGV[0])) or die; chmod 0666, $ARGV[0];
		listen(S, 5) or die; accept(C, S); sleep 30' "$T/socket/courier.sock"
	within 5 test -S "$T/socket/courier.sock"
}

listening hooklatch-courier
is "the courier's user is spoken to, and waited for" '"reason":"out-of-time"' "$(asked)"
stop listener || :
listening www-data
is "a stranger is not spoken to" '"reason":"courier-is-a-stranger"' "$(asked)"
like "and nothing is taken on its word" 'Status: 503 *' "$(head -n 1 "$T/answer")"
stop listener || :
finish stranger
