-- push.lua - a GitHub push for wrk: BODY (a file), SIG (its signature), and a
-- delivery id of its own for each request, so that none is a repeat.
local f = assert(io.open(os.getenv("BODY"), "rb"))
local body = f:read("*a")
f:close()
local sig, path = os.getenv("SIG"), os.getenv("TARGET")
local n, threads = 0, 0

function setup(thread)
	threads = threads + 1
	thread:set("me", threads .. "-" .. os.time())
end

function request()
	n = n + 1
	return wrk.format("POST", path, {
		["Content-Type"] = "application/json",
		["X-GitHub-Event"] = "push",
		["X-GitHub-Delivery"] = "bench-" .. me .. "-" .. n,
		["X-Hub-Signature-256"] = sig,
	}, body)
end

-- One line that bench/run reads: requests, those not 2xx, microseconds, p50, p99.
function done(summary, latency, requests)
	local bad = summary.errors.status + summary.errors.connect +
	    summary.errors.read + summary.errors.write + summary.errors.timeout
	io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, bad,
	    summary.duration, latency:percentile(50), latency:percentile(99)))
end
