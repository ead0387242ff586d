// judge.js - what a Node program does with a GitHub push: its signature over the body,
// then its JSON.

'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');

const secret = process.env.BENCH_SECRET;

function genuine(given, body) {
	const expected = Buffer.from('sha256=' + createHmac('sha256', secret).update(body).digest('hex'));
	const sent = Buffer.from(given || '');
	return sent.length === expected.length && timingSafeEqual(sent, expected);
}

// judge: the status to refuse it with, or 0
exports.judge = (request, body) => {
	if (!genuine(request.headers['x-hub-signature-256'], body))
		return 401;
	try {
		JSON.parse(body);
	} catch {
		return 400;
	}
	return 0;
};

// whole: calls back with the body
exports.whole = (request, then) => {
	const parts = [];
	request.on('data', (part) => parts.push(part));
	request.on('end', () => then(Buffer.concat(parts)));
};
