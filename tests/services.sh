#!/usr/bin/env bash
# tests/services.sh - services of one's own: the example of docs/destinations.md is one
# that an event reaches; a file that is wrong is said and replaces nothing.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

programs
mkdir "$T/services"
free_port
FAKE=$PORT
free_port

# Who is sent to: a line for each request, its path and its body.
cat >"$T/receiver.js" <<'END'
require('node:http').createServer((request, response) => {
	let text = '';

	request.setEncoding('utf8');
	request.on('data', (piece) => text += piece);
	request.on('end', () => {
		console.log(`${request.headers.authorization ?? ''} ${request.url} ${text}`);
		const closed = text.includes('closed');

		response.writeHead(closed ? 413 : 200, { 'content-type': 'application/json' });
		response.end('{"code":40301}');
	});
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
END
start receiver node "$T/receiver.js" "$FAKE"
within 10 grep -q ready "$T/log/receiver" || broken "the receiver starts"

# As it stands in the page:
awk '/^\/\/ \/etc\/hooklatch\/services\/ntfy\.json/ { on = 1 } /^```$/ { on = 0 } on' docs/destinations.md >"$T/services/ntfy.json"
check "the page has an example" test -s "$T/services/ntfy.json"

conf() {	# MORE
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"services": "@T@/services",
	"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET", "deliver": "phone" } },
	"destinations": { "phone": { "service": "ntfy", "topic": "builds", "endpoint": "http://127.0.0.1:$FAKE",
	    "message": "{type} on {body:ref}"${1:-} } }
}
END
}
try() {
	push "$(uuid)" "$T/body" /hooks/github
}
came() {
	grep -qF "$1" "$T/log/receiver"
}
said() {	# TIMES TEXT
	[ "$(grep -cF "$2" "$T/log/serve")" -ge "$1" ]
}
checked() {
	"$T/bin/hooklatch" check --config "$T/hooklatch.json" 2>&1 || :
}

printf '{"ref":"refs/heads/main"}' >"$T/body"
conf
like "check knows it" "*phone*POST to 127.0.0.1:$FAKE*" "$(checked)"
check "serve starts" serve_start
is "an event is taken" 200 "$(try)"
check "and said, without what is not given" within 10 came ' / {"topic": "builds", "message": "push on refs/heads/main", "priority": 4}'
printf '{"ref":"closed"}' >"$T/body"
is "another is taken" 200 "$(try)"
check "an answer counts for what the file says" within 10 said 1 'answered 413: the message is too long'

# --- a reload reads the files again ---------------------------------------------------

printf '{"ref":"refs/heads/next"}' >"$T/body"
sed -i 's/"priority": 4/"priority": 5/' "$T/services/ntfy.json"
kill -HUP "${PID[serve]}"
check "a file that changed is read at a reload" within 10 said 1 "reloaded, generation 2"
check "by the courier as well" within 10 said 1 '"hooklatch-courier","message":"reloaded"'
is "an event is taken then" 200 "$(try)"
check "and sent as it says now" within 10 came '"push on refs/heads/next", "priority": 5'
sed -i 's/"priority": 5/"priority": "{param:prio}"/' "$T/services/ntfy.json"
line=$(grep -n '{param:prio}' "$T/services/ntfy.json" | cut -d: -f1)
like "check says where a file is wrong" "*services/ntfy.json:$line:*\"prio\" is no parameter of the service*" "$(checked)"
kill -HUP "${PID[serve]}"
check "a file that is wrong is refused" within 10 said 2 "\\\"prio\\\" is no parameter of the service"
printf '{"ref":"refs/heads/last"}' >"$T/body"
is "an event is taken all the same" 200 "$(try)"
check "and sent as before" within 10 came '"push on refs/heads/last", "priority": 5'
check "serve stops" serve_stop

sed -i 's/{param:prio}/high/' "$T/services/ntfy.json"
like "check is content again" "*phone*POST to*" "$(checked)"
conf ', "prio": "5"'
like "it knows what the service does not take" "*unknown key \"prio\" in a destination*" "$(checked)"
conf
rm -r "$T/services"
like "and a directory that is not there" "*\"services\": *services: No such file*" "$(checked)"

[ "$FAILED" -eq 0 ] || why serve receiver
finish services
