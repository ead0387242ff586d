// push_pubsub.js - a GitHub push, checked, and published to Pub/Sub by Google's own
// client before it is answered; a process for each of WORKERS.  MESSAGES is how many
// the client may put into one request: 1, or its own default of 100, for which it
// waits up to 10 ms.
//
// usage: BENCH_SECRET=... PUBSUB_EMULATOR_HOST=... node push_pubsub.js PORT WORKERS MESSAGES

'use strict';

const cluster = require('node:cluster');
const http = require('node:http');
const { PubSub } = require('@google-cloud/pubsub');
const { judge, whole } = require('./judge.js');

const [port, workers, maxMessages] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
	for (let i = 0; i < workers; i++)
		cluster.fork();
} else {
	const topic = new PubSub({ projectId: 'p' }).topic('hooks', { batching: { maxMessages } });

	http.createServer((request, response) => {
		whole(request, async (body) => {
			let status = judge(request, body);
			if (status === 0)
				status = await topic.publishMessage({
					data: body,
					attributes: {
						event: request.headers['x-github-event'] || '',
						delivery: request.headers['x-github-delivery'] || '',
					},
				}).then(() => 204, () => 503);
			response.writeHead(status);
			response.end();
		});
	}).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
