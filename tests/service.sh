#!/usr/bin/env bash
# tests/service.sh COMMAND... - runs a command while a service serves: the courier
# and two workers behind nginx, with one hook of the provider github.
#
# The command gets HOOKLATCH (the tool), URL (of the hook), CONFIG and SECRET in
# its environment, and its output and status are this one's.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh

FRONT=nginx
programs
front_ports
conf_write <<'END'
{
	"inbox": "sqlite:@T@/courier/inbox.db",
	"courier": "unix:@T@/courier/courier.sock",
	"volatile": true,
	"hooks": { "/hooks/github": { "provider": "github", "secret": "file:@T@/secret" } }
}
END
SECRET=a-secret-of-the-tests
printf '%s\n' "$SECRET" >"$T/secret"
if ! courier_start || ! front_start "$FRONT"; then
	why courier handler web
	broken "the service starts"
	finish service
fi
export HOOKLATCH=$T/bin/hooklatch CONFIG=$T/hooklatch.json SECRET \
    URL=http://127.0.0.1:$PORT/hooks/github
status=0
"$@" || status=$?
if [ "$status" -ne 0 ]; then
	why courier handler web
fi
trap - EXIT
clean_up
exit "$status"
