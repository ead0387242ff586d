#!/usr/bin/env bash
# tests/services.sh - services of one's own: the example of docs/destinations.md is one
# that an event reaches; a file that is wrong is said and replaces nothing.  And a URL
# that is a secret: it is asked for, and shown nowhere.

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
		response.end(JSON.stringify({ code: 40301, asked: request.url }));
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

# --- a URL that is a secret -----------------------------------------------------------

conf_url() {	# URL
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true,
	"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET", "deliver": "chat" } },
	"destinations": { "chat": { "http": "$1", "retry": { "first": "50ms", "most": "100ms" },
	    "body": "{\"text\": \"{type}\"}" } }
}
END
}
tool() {
	"$T/bin/hooklatch" "$@" --config "$T/hooklatch.json" 2>&1 || :
}
shown() {	# where it may not stand
	tool deliveries --json
	tool destinations --json
	"$T/bin/hooklatch" events show "$(tool events --json -n 1 | member id)" --config "$T/hooklatch.json" 2>&1 || :
	checked
	cat "$T/log/serve"
}
export CHAT_URL=http://127.0.0.1:$FAKE/services/T0/HIDDEN-PATH
conf_url env:CHAT_URL
like "check names the variable" "*chat*POST to env:CHAT_URL*" "$(checked)"
check "serve starts with it" serve_start
is "an event is taken" 200 "$(try)"
check "and sent there" within 10 came ' /services/T0/HIDDEN-PATH {"text": "push"}'
check "it is done" within 10 said 1 '"destination":"chat","state":"done"'
like "of an answer that repeats it stars are kept" '*"asked":"\**' "$(tool events show "$(tool events --json -n 1 | member id)" | tr -d '\\')"
stop receiver
is "an event is taken while nobody listens there" 200 "$(try)"
check "why it was not sent is said without it" within 10 said 1 "the destination was not reached: Connection refused"
shown >"$T/shown"
check "there is something to look at" grep -q chat "$T/shown"
is "it stands nowhere" 0 "$(grep -cE 'HIDDEN|services/T0' "$T/shown")"
check "serve stops with it" serve_stop
CHAT_URL=HIDDEN-WORD
out=$(checked)
like "what is no URL is said" '*destination "chat": the secret that "http" names is no URL*' "$out"
check "without it" test "${out/HIDDEN/}" = "$out"
conf_url HIDDEN://hooks.example/x
out=$(checked)
like "what is neither a URL nor a reference is refused" '*"http" must be a URL that begins with*' "$out"
check "and not repeated" test "${out/HIDDEN/}" = "$out"

[ "$FAILED" -eq 0 ] || why serve receiver
finish services
