#!/usr/bin/env bash
# tests/two-hosts.sh - two hosts, one engine: one host dies, nothing is lost.
#
#	hlN-net	10.77.0.1	Redis, a balancer (nginx), a provider that sends
#	hlN-a	10.77.0.2	hooklatch serve
#	hlN-b	10.77.0.3	hooklatch serve
#
# Three network namespaces of this machine with a bridge between them.  Under load
# the link of one host is cut and all of it is killed with kill -9, so that nobody
# hears of its end; the other serves on, and every event that was answered 2xx is in
# the engine, once, whichever host took it and whichever heard of it again.  The host
# comes back, and the other one dies.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

why_not() {
	if ! as_root; then
		echo "network namespaces need root"
	elif ! command -v redis-server >/dev/null; then
		echo "redis-server is not installed"
	elif [[ $(ldd "$BUILD/hooklatch-courier") != *hiredis* ]]; then
		echo "the courier was built without libhiredis-dev"
	elif ! ip netns add "hl$$-net" 2>/dev/null; then
		echo "network namespaces cannot be made here"
	fi
}
reason=$(why_not)
if [ -n "$reason" ]; then
	skip "all of two-hosts" "$reason"
	finish two-hosts
fi

programs
make_tool sender
NET=hl$$-net
declare -A ADDRESS=([a]=10.77.0.2 [b]=10.77.0.3)
SAID=$T/log/sender
export ENGINE_SECRET=default:h-u-s-h

in_net() {
	ip netns exec "$NET" "$@"
}

take_down() {
	local ns
	for ns in "$NET" "hl$$-a" "hl$$-b"; do
		ip netns del "$ns" 2>/dev/null || :
	done
}
trap 'take_down; interrupted' EXIT

# --- the network -----------------------------------------------------------------------

build_net() {
	local host
	in_net ip link set lo up
	in_net ip link add br0 type bridge
	in_net ip address add 10.77.0.1/24 dev br0
	in_net ip link set br0 up
	for host in a b; do
		ip netns add "hl$$-$host"
		ip -n "$NET" link add "to-$host" type veth peer name eth0 \
		    netns "hl$$-$host"
		ip -n "$NET" link set "to-$host" master br0 up
		ip -n "hl$$-$host" link set lo up
		ip -n "hl$$-$host" address add "${ADDRESS[$host]}/24" dev eth0
		ip -n "hl$$-$host" link set eth0 up
	done
}
check "the network is made" build_net

# --- the engine, the balancer -------------------------------------------------------------

dir "$T/engine"
start engine ip netns exec "$NET" redis-server --port 6379 --bind 10.77.0.1 \
    --dir "$T/engine" --save '' --appendonly yes --appendfsync always \
    --requirepass h-u-s-h

redis() {
	in_net env REDISCLI_AUTH=h-u-s-h redis-cli -h 10.77.0.1 --raw "$@"
}
check "the engine is there" within 10 redis PING

mkdir "$T/lb"
cat >"$T/lb/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $T/lb/pid;
error_log $T/log/lb;
events { worker_connections 1024; }
http {
	access_log off;
	$(for t in client_body proxy fastcgi uwsgi scgi; do echo "${t}_temp_path $T/lb/$t;"; done)
	upstream hosts {
		server ${ADDRESS[a]}:8080 max_fails=1 fail_timeout=1s;
		server ${ADDRESS[b]}:8080 max_fails=1 fail_timeout=1s;
	}
	server {
		listen 127.0.0.1:8000;
		location / {
			proxy_pass http://hosts;
			proxy_connect_timeout 500ms;
			proxy_read_timeout 3s;
			proxy_next_upstream error timeout http_502 http_503 non_idempotent;
		}
	}
}
END
start lb ip netns exec "$NET" nginx -c "$T/lb/nginx.conf" -e "$T/log/lb"

# --- the hosts -------------------------------------------------------------------------

# host_start HOST: a "hooklatch serve" in its own namespace
host_start() {
	local at=$T/host-$1
	dir "$at"
	dir "$at/courier" hooklatch-courier
	cat >"$at/hooklatch.json" <<-END
	{
		"inbox": "redis://10.77.0.1/0/events",
		"inbox_secret": "env:ENGINE_SECRET",
		"courier": "unix:$at/courier/courier.sock",
		"limits": { "deadline": "2s" },
		"hooks": {
			"/hooks/github": { "provider": "github", "secret": "plain:$SECRET" }
		}
	}
	END
	RUNTIME_DIRECTORY=$at start "host-$1" ip netns exec "hl$$-$1" \
	    "$T/bin/hooklatch" serve --config "$at/hooklatch.json" \
	    --listen "${ADDRESS[$1]}:8080" --workers 1
	within 20 host_healthy "$1"
}

host_healthy() {
	in_net curl -fsS -o /dev/null --max-time 2 "http://${ADDRESS[$1]}:8080/health"
}

# host_dies HOST: off the net first, so that no connection is seen to end
host_dies() {
	local family=()
	ip -n "$NET" link set "to-$1" down
	mapfile -t family < <(descendants "${PID[host-$1]}")
	kill -9 "${PID[host-$1]}" "${family[@]}" 2>/dev/null || :
	within 5 gone "${PID[host-$1]}" || broken "host $1 is dead"
	unset "PID[host-$1]"
}

host_back() {
	ip -n "$NET" link set "to-$1" up
	host_start "$1"
}

check "host a serves" host_start a
check "host b serves" host_start b

# --- under load ------------------------------------------------------------------------

recorded() {
	wc -l <"$T/record"
}

more_than() {
	[ "$(recorded)" -gt "$1" ]
}

goes_on() {
	local n
	n=$(recorded)
	within 20 more_than $((n + 100))
}

touch "$T/record"
start sender ip netns exec "$NET" "$T/bin/sender" -h 127.0.0.1 -p 8000 -c 32 -R 400 \
    -n 10000000 -b 1500 -s "$SECRET" -r "$T/record"
check "events are acknowledged" goes_on
for round in 1 2; do
	for host in a b; do
		host_dies "$host"
		check "round $round: host $host died, the other serves" goes_on
		check "round $round: host $host comes back" host_back "$host"
		check "round $round: both serve" goes_on
	done
done
stop sender TERM 70 || broken "the sender came to its end"

redis EVAL '
	local out = {}
	for _, e in ipairs(redis.call("XRANGE", KEYS[1], "-", "+")) do
		for i = 1, #e[2], 2 do
			if e[2][i] == "event_id" then out[#out + 1] = e[2][i + 1] end
		end
	end
	return out' 1 events | sort >"$T/stored"
sort -u "$T/record" >"$T/wanted"
is "no acknowledged event is missing" 0 \
    "$(uniq "$T/stored" | comm -23 "$T/wanted" - | wc -l)"
is "none is there twice, whichever host took it" 0 "$(uniq -d "$T/stored" | wc -l)"
is "the provider gave nothing up" 0 "$(sent lost "$SAID")"
echo "two-hosts: $(recorded) acknowledged, $(sent retried "$SAID") sent again"
is "the engine's password is in no log" "" "$(grep -l h-u-s-h "$T"/log/host-* || :)"

[ "$FAILED" -eq 0 ] || why host-a host-b lb sender
for name in host-a host-b lb engine; do
	stop "$name" TERM 9 || broken "$name stops in order"
done
take_down
finish two-hosts
