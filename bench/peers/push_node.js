// push_node.js - a GitHub push, checked by Node's own http server, no web server in
// front; a process for each of WORKERS.
//
// usage: BENCH_SECRET=... node push_node.js PORT WORKERS

'use strict';

const cluster = require('node:cluster');
const { createHmac, timingSafeEqual } = require('node:crypto');
const http = require('node:http');

const [port, workers] = process.argv.slice(2).map(Number);
const secret = process.env.BENCH_SECRET;

function genuine(given, body) {
	const expected = Buffer.from('sha256=' + createHmac('sha256', secret).update(body).digest('hex'));
	const sent = Buffer.from(given || '');
	return sent.length === expected.length && timingSafeEqual(sent, expected);
}

function judge(request, body) {
	if (!genuine(request.headers['x-hub-signature-256'], body))
		return 401;
	try {
		JSON.parse(body);
	} catch {
		return 400;
	}
	return 204;
}

if (cluster.isPrimary) {
	for (let i = 0; i < workers; i++)
		cluster.fork();
} else {
	http.createServer((request, response) => {
		const parts = [];
		request.on('data', (part) => parts.push(part));
		request.on('end', () => {
			response.writeHead(judge(request, Buffer.concat(parts)));
			response.end();
		});
	}).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
