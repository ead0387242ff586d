#!/usr/bin/env bash
# tests/valgrind.sh - a short run of all three programs under valgrind: no byte is
# read before it was written, none after it was given back, none is lost.
#
# First a program that does all of it, to see that valgrind would say so.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh

FRONT=nginx
VALGRIND=(valgrind -q --vgdb=no --leak-check=full --show-leak-kinds=definite
	--errors-for-leak-kinds=definite --child-silent-after-fork=no --error-exitcode=99)

cat >"$T/wrong.c" <<'END'
#include <stdlib.h>
int main(int argc, char **argv) {
	char *p = malloc(8); (void)argv;
	if (p[argc] == 'x') return 1;
	p = NULL;
	return 0;
}
END
gcc -O0 -g -o "$T/bin/wrong" "$T/wrong.c"
status=0
"${VALGRIND[@]}" "$T/bin/wrong" 2>"$T/log/expected" || status=$?
is "valgrind finds what is wrong in a wrong program" 99 "$status"

programs
mkdir "$T/real" "$T/valgrind"
chmod 1777 "$T/valgrind"
for program in hooklatch hooklatch.fcgi hooklatch-courier; do
	mv "$T/bin/$program" "$T/real/$program"
	printf '#!/bin/sh\nexec %s --log-file=%s %s "$@"\n' "${VALGRIND[*]}" \
	    "$T/valgrind/$program.%p" "$T/real/$program" >"$T/bin/$program"
	chmod 755 "$T/bin/$program"
done
front_ports
conf_write <<'END'
{
	"inbox": "sqlite:@T@/courier/inbox.db",
	"courier": "unix:@T@/courier/courier.sock",
	"volatile": true,
	"limits": { "worker_memory": "64m" },
	"hooks": {
		"/hooks/github": { "provider": "github", "secret": "plain:s" },
		"/hooks/guide": { "provider": "secret-header", "secret": "plain:s" },
		"/hooks/x": { "provider": "x", "secret": "plain:s" }
	}
}
END
if ! courier_start || ! front_start "$FRONT"; then
	why courier handler web
	broken "the service starts under valgrind"
	finish valgrind
fi
URL=http://127.0.0.1:$PORT

# answered PROMISE STATUS ARGUMENT OF CURL...
answered() {
	is "$1" "$2" "$(curl -sS -o "$T/body" -w '%{http_code}' --max-time 60 -H 'Expect:' "${@:3}" 2>>"$T/log/curl")"
}
head -c 700000 /dev/zero | tr '\0' ' ' >"$T/long"
printf '{}' >>"$T/long"
cp examples/github-push.json "$T/push"
for body in push long; do
	for signature in "$(hmac_hex s "$T/$body")" 00; do
		wanted=200
		[ "$signature" != 00 ] || wanted=401
		answered "a $body" "$wanted" "$URL/hooks/github" -H 'Content-Type: application/json' \
		    -H "X-GitHub-Delivery: $body" -H "X-Hub-Signature-256: sha256=$signature" \
		    --data-binary "@$T/$body"
	done
done
answered "a repeat" 200 "$URL/hooks/github" -H 'Content-Type: application/json' \
    -H 'X-GitHub-Delivery: push' -H "X-Hub-Signature-256: sha256=$(hmac_hex s "$T/push")" \
    --data-binary "@$T/push"
answered "a challenge" 200 "$URL/hooks/guide" -H 'Secret: s' -d '{"challenge":"x"}'
answered "broken JSON" 400 "$URL/hooks/guide" -H 'Secret: s' -d '{"challenge":'
answered "a CRC" 200 "$URL/hooks/x?crc_token=t"
answered "no hook" 404 "$URL/hooks/none" -d '{}'
answered "a wrong method" 405 -X PUT "$URL/hooks/guide" -d '{}'
sleep 1
kill -HUP "${PID[handler]}"
sleep 3
answered "after a reload" 200 "$URL/hooks/guide" -H 'Secret: s' -d '{"a":1}'
is "the tool lists" 4 "$("$T/bin/hooklatch" events list --config "$T/hooklatch.json" --json --limit 0 --bodies | grep -c '^{' || :)"
check "the tool proves" quietly check "$T/bin/hooklatch" check --config "$T/hooklatch.json"
check "the tool signs" quietly sign "$T/bin/hooklatch" sign --hook /hooks/github --config "$T/hooklatch.json"
front_stop
courier_stop TERM || broken "the courier stops when it is told"

between "each program and worker was watched" 6 20 "$(find "$T/valgrind" -type f | wc -l)"
found=$(cat "$T"/valgrind/* | head -n 60)
is "valgrind finds nothing" "" "$found"
[ "$FAILED" -eq 0 ] || why handler courier
finish valgrind
