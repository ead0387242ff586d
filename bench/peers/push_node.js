// push_node.js - a GitHub push, checked by Node's own http server, no web server in
// front; a process for each of WORKERS.
//
// usage: BENCH_SECRET=... node push_node.js PORT WORKERS

'use strict';

const cluster = require('node:cluster');
const http = require('node:http');
const { judge, whole } = require('./judge.js');

const [port, workers] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
	for (let i = 0; i < workers; i++)
		cluster.fork();
} else {
	http.createServer((request, response) => {
		whole(request, (body) => {
			response.writeHead(judge(request, body) || 204);
			response.end();
		});
	}).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
