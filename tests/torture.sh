#!/usr/bin/env bash
# tests/torture.sh - FastCGI as no web server sends it (tests/tool/torture.c):
# to the pool, and to a pool without the frame, where each attack must succeed.
# The forgery goes through a real nginx too.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh
. tests/load.sh

check "the pool is there" cp "$BUILD/hooklatch.fcgi" "$T/bin/"
make_tool torture unframed

# conf MORE
conf() {
	conf_write <<-END
	{
		"inbox": "none",
		"hooks": {
			"/hooks/signed": { "provider": "github", "secret": "plain:s3cret" },
			"/hooks/open": { "auth": "none" },
			"/hooks/json": { "auth": "none" },
			"/hooks/small": { "auth": "none", "body": 4096 },
			"/hooks/inside": { "auth": "none", "from": "10.6.6.6" }
		}
		$1
	}
	END
}
conf ''

workers() {
	descendants "${PID[handler]}" | sort | tr '\n' ' '
}

# How many files the workers have open.
open_files() {
	local pid
	for pid in $(workers); do
		ls "/proc/$pid/fd"
	done | wc -l
}

no_more_files() {
	[ "$(open_files)" -le "$files" ]
}

bare_start() {
	dir "$T/run"
	rm -f "$T/run/bare.sock"
	start bare "$T/bin/unframed" "$T/hooklatch.json" "$T/run/bare.sock" 2 \
	    "$T/log/bare-answers"
	within 10 test -S "$T/run/bare.sock"
}

# judged COMMAND...: its counts become ours
judged() {
	local line
	"$@" >"$T/out" 2>&1 || :
	grep -v ' passed, ' "$T/out" || :
	line=$(grep -oE '[0-9]+ passed, [0-9]+ failed$' "$T/out") || {
		broken "$* came to its end"
		return 0
	}
	read -r passed _ failed _ <<<"$line"
	PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
}

# --- by hand, over the socket ---------------------------------------------------

check "the bare pool starts" bare_start
judged "$T/bin/torture" bare "$T/run/bare.sock"
check "a management record ends a bare worker" within 5 \
    grep -q '^worker ended by signal' "$T/log/bare-answers"
# What the records broke there stays there.
stop bare || :
sed -i '/stack smashing/d' "$T/log/bare"

check "the pool starts" pool_start
before=$(workers)
files=$(open_files)
judged "$T/bin/torture" guarded "$T/run/fcgi.sock"
is "no worker died of it" "$before" "$(workers)"
check "no file stayed open" within 5 no_more_files

# --- the forgery, through nginx with kept connections ----------------------------

front_ports
measure=$PORT
free_port
bare=$PORT
free_port
ours=$PORT
mkdir -p "$T/nginx"
{
	! as_root || echo "user $WEB_USER;"
	cat <<-END
		error_log stderr;
		pid $T/nginx/pid;
		daemon off;
		worker_processes 1;
		events { }
		http {
			access_log off;
			client_body_temp_path $T/nginx/body;
			fastcgi_temp_path $T/nginx/fastcgi;
			proxy_temp_path $T/nginx/proxy;
			uwsgi_temp_path $T/nginx/uwsgi;
			scgi_temp_path $T/nginx/scgi;
			upstream measure { server unix:$T/run/measure.sock; keepalive 4; }
			upstream bare { server unix:$T/run/bare.sock; keepalive 4; }
			upstream ours { server unix:$T/run/fcgi.sock; keepalive 4; }
	END
	for name in measure bare ours; do
		cat <<-END
			server {
				listen 127.0.0.1:${!name};
				include $T/nginx/hooklatch-params.conf;
				location / { fastcgi_pass $name; }
			}
		END
	done
	echo "}"
} >"$T/nginx/nginx.conf"
sed '/^fastcgi_pass/d' nginx/hooklatch-params.conf >"$T/nginx/hooklatch-params.conf"

: >"$T/log/bare-answers"
check "the bare pool starts again" bare_start
start web nginx -e stderr -c "$T/nginx/nginx.conf"
check "nginx listens" within 10 listening "$ours"
: >"$T/log/handler"
judged "$T/bin/torture" nginx "$measure" "$bare" "$ours" "$T/run/measure.sock"
forged=$(grep -c '^200 POST /hooks/inside 10.6.6.6$' "$T/log/bare-answers") || :
is "through nginx the bare pool runs all four forged requests" 4 "$forged"
is "through nginx the pool runs none" 0 \
    "$(grep -c '/hooks/inside' "$T/log/handler" || :)"
is "through nginx the pool answers four requests, and no more" 4 \
    "$(grep -c '"status":4' "$T/log/handler" || :)"

# --- its limits ---------------------------------------------------------------------

"$T/bin/torture" patience "$T/run/bare.sock" >"$T/bare"
is "a bare worker waits for ever for a request to end" yes \
    "$([ "$(sent cut "$T/bare")" -lt 4000 ] || echo yes)"
stop web
stop handler
conf ', "limits": { "worker_memory": "64m", "read_timeout": "1s" }'
check "the pool starts with 64 MiB for each worker" pool_start
"$T/bin/torture" patience "$T/run/fcgi.sock" >"$T/ours"
between "ours waits for read_timeout, however often a byte comes" 900 1600 \
    "$(sent cut "$T/ours")"
is "and answers nothing" 0 "$(sent answers "$T/ours")"
"$T/bin/torture" flood "$T/run/fcgi.sock" >"$T/ours"
is "24 bodies of 0.9 MB at once fit into 64 MiB" 24 "$(sent taken "$T/ours")"
stop handler
conf ', "limits": { "worker_memory": "4m" }'
check "the pool starts with 4 MiB for each worker" pool_start
"$T/bin/torture" flood "$T/run/fcgi.sock" >"$T/ours"
between "but not into 4 MiB for each of two workers: so many are taken" 2 8 \
    "$(sent taken "$T/ours")"
is "all others are refused in order" 24 \
    $(($(sent taken "$T/ours") + $(sent refused "$T/ours")))
is "ordinary requests are served between them" 24 "$(sent between "$T/ours")"

[ "$FAILED" -eq 0 ] || why handler bare web
finish torture
