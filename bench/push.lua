-- push.lua - a GitHub push for wrk, with a delivery id of its own for each request,
-- so that none is a repeat.  From the environment: BODY (a file), SIG (its
-- signature), TARGET (the path), RUN (what makes the ids differ from another run's).
local f = assert(io.open(os.getenv("BODY"), "rb"))
local body = f:read("*a")
f:close()
local before, after
local n, threads = 0, 0

function setup(thread)
	threads = threads + 1
	thread:set("me", "bench-" .. os.getenv("RUN") .. "-" .. threads .. "-")
end

-- Put together once and cut where the id stands: what the sender does for a request
-- is taken from the processors that it shares with who is measured.
function init()
	local whole
	wrk.headers["Host"] = "localhost"
	whole = wrk.format("POST", os.getenv("TARGET"), {
		["Host"] = "localhost",
		["Content-Type"] = "application/json",
		["X-GitHub-Event"] = "push",
		["X-GitHub-Delivery"] = "@ID@",
		["X-Hub-Signature-256"] = os.getenv("SIG"),
	}, body)
	local from, to = whole:find("@ID@", 1, true)
	before, after = whole:sub(1, from - 1), whole:sub(to + 1)
end

function request()
	n = n + 1
	return before .. me .. n .. after
end

-- One line that script/bench reads: requests, those not 2xx, those without an answer,
-- microseconds, p50, p99.
function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests,
	    e.status, e.connect + e.read + e.write + e.timeout, summary.duration,
	    latency:percentile(50), latency:percentile(99)))
end
