// bucket.js PORT DIR - a bucket that takes a PUT of HTTP and keeps it as a file, with
// faults when they are asked for; and the metadata server that has tokens for it.
//
//	PUT /BUCKET/NAME		kept whole, then 200; with x-goog-if-generation-match: 0
//					412 when it is there
//	GET /BUCKET/NAME		as it was kept
//	POST /fake {"faults":[...],"token":T,"revoke":true}
//					faults of the next PUTs, in order: a status, "reset" in the
//					middle of the body, "silent" (kept, never answered), "late"
//					(kept, the connection closed without an answer); T: the bearer
//					that is wanted; "metadata": the one that was given last; revoke: that is bad
//	GET /fake			what came: {"puts":N,"tokens":N,"refused":N,"headers":{...}}
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');

const [port, dir] = [Number(process.argv[2]), process.argv[3]];
let faults = [], wanted = null, given = 0;
const seen = { puts: 0, tokens: 0, refused: 0, headers: null };

function put(req, res, file) {
	const fault = faults.shift();
	const parts = [];
	seen.puts++;
	seen.headers = req.headers;
	if (fault === 'reset') {
		req.once('data', () => req.socket.resetAndDestroy());
		return;
	}
	req.on('data', (part) => parts.push(part));
	req.on('end', () => {
		const bearer = wanted === 'metadata' ? `token-${given}` : wanted;
		if (bearer !== null && req.headers.authorization !== `Bearer ${bearer}`) {
			seen.refused++;
			res.writeHead(401).end('who is that?');
			return;
		}
		if (typeof fault === 'number') {
			res.writeHead(fault).end('no');
			return;
		}
		if (req.headers['x-goog-if-generation-match'] === '0' && fs.existsSync(file)) {
			res.writeHead(412).end('it is there');
			return;
		}
		fs.mkdirSync(path.dirname(file), { recursive: true });
		fs.writeFileSync(`${file}.new`, Buffer.concat(parts));
		fs.renameSync(`${file}.new`, file);
		if (fault === 'late')
			req.socket.destroy();
		else if (fault !== 'silent')
			res.writeHead(200).end();
	});
}

function control(req, res) {
	let text = '';
	req.on('data', (part) => { text += part; });
	req.on('end', () => {
		if (req.method === 'POST') {
			const said = JSON.parse(text);
			faults = said.faults || [];
			if ('token' in said)
				wanted = said.token;
			if (said.revoke)
				given++;	// what was given is good no more
		}
		res.end(JSON.stringify(seen));
	});
}

http.createServer((req, res) => {
	const where = req.url.split('?')[0];
	if (where === '/fake')
		return control(req, res);
	if (where.startsWith('/computeMetadata/')) {
		seen.tokens++;
		given++;
		res.setHeader('Metadata-Flavor', 'Google');
		return res.end(JSON.stringify({ access_token: `token-${given}`, expires_in: 3600,
		    token_type: 'Bearer' }));
	}
	if (!/^\/[a-z0-9-]+(\/[A-Za-z0-9._-]+)+$/.test(where) || where.includes('..'))
		return res.writeHead(404).end();
	const file = path.join(dir, where);
	if (req.method === 'PUT')
		return put(req, res, file);
	if (!fs.existsSync(file))
		return res.writeHead(404).end();
	return res.end(fs.readFileSync(file));
}).listen(port, '127.0.0.1', () => console.log('ready'));
