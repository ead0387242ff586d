/*
 * pubsub.js - stands before Google's Pub/Sub emulator and writes down what that took.
 *
 *	node tests/tool/pubsub.js GRPC-PORT HTTP-PORT EMULATOR'S-PORT RECORD
 *		passes on all that comes; each message of a publish that the emulator has
 *		acknowledged is a line of RECORD before its answer goes back
 *	node tests/tool/pubsub.js ids RECORD
 *	node tests/tool/pubsub.js body|json RECORD EVENT-ID
 *
 * The emulator keeps nothing when it ends, so this is what a subscription would have
 * kept.  It invents no answer: where the emulator breaks off, so does this.
 */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const grpc = require('./grpc.js');

const [MODE, ...REST] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });

function write_down(file, messages)
{
	fs.appendFileSync(file, messages.map((m) =>
	    `${JSON.stringify(m)}\n`).join(''));
}

function pass(request, response, body, to, file)
{
	const asked = http.request({ agent, host: '127.0.0.1', port: to, method:
	    request.method, path: request.url, headers: { ...request.headers,
	    host: `127.0.0.1:${to}` } }, (answer) => {
		const pieces = [];

		answer.on('error', () => response.destroy());
		answer.on('data', (piece) => pieces.push(piece));
		answer.on('end', () => {
			if (answer.statusCode === 200 && request.url.endsWith(':publish'))
				write_down(file, JSON.parse(body).messages);
			response.writeHead(answer.statusCode, answer.headers);
			response.end(Buffer.concat(pieces));
		});
	});

	asked.on('error', () => response.destroy());
	response.on('error', () => {});
	asked.end(body);
}

function serve(port, to, file)
{
	http.createServer((request, response) => {
		const pieces = [];

		request.on('data', (piece) => pieces.push(piece));
		request.on('end', () => pass(request, response, Buffer.concat(pieces), to,
		    file));
	}).listen(port, '127.0.0.1');
}

/* The same of gRPC: where the emulator breaks off, so does the session. */
function pass_grpc(stream, headers, body, to, file)
{
	const broken = () => stream.session?.destroy();
	let first, last = {};
	const pieces = [];

	if (to.closed || to.destroyed)
		return broken();
	const asked = to.request({ ':method': headers[':method'], ':path': headers[':path'],
	    'content-type': 'application/grpc', te: 'trailers' });

	asked.on('error', broken);
	asked.on('response', (h) => { first = h; });
	asked.on('trailers', (h) => { last = h; });
	asked.on('data', (piece) => pieces.push(piece));
	asked.on('close', () => {
		const status = last['grpc-status'] ?? first?.['grpc-status'];

		if (status === undefined)
			return broken();
		if (status === '0' && headers[':path'].endsWith('/Publish'))
			write_down(file, grpc.publish(body.subarray(5)).messages);
		return grpc.say(stream, status, last['grpc-message'],
		    pieces.length === 0 ? undefined : Buffer.concat(pieces).subarray(5));
	});
	return asked.end(body);
}

function serve_grpc(port, to, file)
{
	let there;
	const server = http2.createServer();

	server.on('session', (s) => s.on('error', () => {}));
	server.on('stream', (stream, headers) => {
		const pieces = [];

		stream.on('error', () => {});
		stream.on('data', (piece) => pieces.push(piece));
		stream.on('end', () => {
			if (there === undefined || there.closed || there.destroyed) {
				there = http2.connect(`http://127.0.0.1:${to}`);
				there.on('error', () => {});
			}
			pass_grpc(stream, headers, Buffer.concat(pieces), there, file);
		});
	});
	server.listen(port, '127.0.0.1');
}

function* messages(file)
{
	for (const line of fs.readFileSync(file, 'utf8').split('\n'))
		if (line !== '')
			yield JSON.parse(line);
}

const id_of = (m) => m.attributes['hooklatch-event-id'];
const json_of = (m) => Object.keys(m.attributes).filter((n) =>
    n.startsWith('hooklatch-json-')).sort().map((n) => m.attributes[n]).join('');

if (MODE === 'ids') {
	process.stdout.write([...messages(REST[0])].map((m) => `${id_of(m)}\n`).join(''));
} else if (MODE === 'body' || MODE === 'json') {
	const one = [...messages(REST[0])].find((m) => id_of(m) === REST[1]);

	process.stdout.write(one === undefined ? '' : MODE === 'json' ? json_of(one) :
	    Buffer.from(one.data, 'base64'));
} else {
	serve_grpc(Number(MODE), Number(REST[1]), REST[2]);
	serve(Number(REST[0]), Number(REST[1]), REST[2]);
}
