// A GitHub push, checked by a function of Google's functions-framework, which reads
// the body, refuses JSON that is none, and keeps the bytes as rawBody.

'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');
const functions = require('@google-cloud/functions-framework');

const secret = process.env.BENCH_SECRET;

functions.http('push', (request, response) => {
	const expected = Buffer.from('sha256=' + createHmac('sha256', secret).update(request.rawBody).digest('hex'));
	const given = Buffer.from(request.get('X-Hub-Signature-256') || '');
	const genuine = given.length === expected.length && timingSafeEqual(given, expected);
	response.sendStatus(genuine ? 204 : 401);
});
