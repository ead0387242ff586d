/*
 * grpc.js - of gRPC and Protocol Buffers what Pub/Sub's publishing needs, for the tests'
 * servers: messages are written as the JSON that the same service has over HTTP.
 */
'use strict';

/* A number and how many bytes it took. */
function number(bytes, at)
{
	let n = 0n, shift = 0n, i = at;

	for (;; i++, shift += 7n) {
		n |= BigInt(bytes[i] & 0x7f) << shift;
		if (bytes[i] < 0x80)
			return [Number(n), i + 1];
	}
}

/* [field, bytes] of each: of these messages all are bytes. */
function* fields(bytes)
{
	for (let at = 0, key, n; at < bytes.length; at += n) {
		[key, at] = number(bytes, at);
		if ((key & 7) !== 2)
			throw new Error('a field of another kind');
		[n, at] = number(bytes, at);
		if (at + n > bytes.length)
			throw new Error('a field that is cut');
		yield [key >> 3, bytes.subarray(at, at + n)];
	}
}

/* Strictly: a string that is not UTF-8 is an error, as it is to Google. */
const text = (b) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(b);

function message(bytes)
{
	const m = { data: '', attributes: {} };

	for (const [field, b] of fields(bytes)) {
		if (field === 1) {
			m.data = b.toString('base64');
		} else if (field === 2) {
			const pair = new Map(fields(b));

			m.attributes[text(pair.get(1))] = text(pair.get(2) ?? Buffer.of());
		} else if (field === 5) {
			m.orderingKey = text(b);
		} else {
			throw new Error(`field ${field} of a message`);
		}
	}
	return m;
}

function publish(bytes)
{
	const body = { topic: '', messages: [] };

	for (const [field, b] of fields(bytes)) {
		if (field === 1)
			body.topic = text(b);
		else if (field === 2)
			body.messages.push(message(b));
		else
			throw new Error(`field ${field} of a publish`);
	}
	return body;
}

function topic(bytes)
{
	return { topic: text(new Map(fields(bytes)).get(1)) };
}

function permissions(bytes)
{
	const all = [...fields(bytes)];

	return { topic: text(all.find(([f]) => f === 1)[1]),
	    permissions: all.filter(([f]) => f === 2).map(([, b]) => text(b)) };
}

/* An answer: its texts are the field 1 of what is said here. */
function answer(body)
{
	return Buffer.concat((body.messageIds ?? body.permissions ?? []).map((s) =>
	    Buffer.concat([Buffer.of(0x0a, s.length), Buffer.from(s)])));
}

/* The one message of a request. */
function body_of(stream, then)
{
	const pieces = [];

	stream.on('data', (piece) => pieces.push(piece));
	stream.on('end', () => then(Buffer.concat(pieces).subarray(5)));
}

function say(stream, code, why, bytes)
{
	const head = Buffer.alloc(5);

	if (stream.destroyed)
		return;
	stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': `${code}`,
	    ...(why ? { 'grpc-message': why } : {}) }));
	stream.respond({ ':status': 200, 'content-type': 'application/grpc' },
	    { waitForTrailers: true });
	if (bytes !== undefined) {
		head.writeUInt32BE(bytes.length, 1);
		stream.write(Buffer.concat([head, bytes]));
	}
	stream.end();
}

module.exports = { answer, body_of, permissions, publish, say, topic };
