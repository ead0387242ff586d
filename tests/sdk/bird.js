/*
 * bird.js - MessageBird: a token that says the hashes of the URL and of the body.
 *
 * An example carries secret (the signing key) and url, which is the hook's and
 * the request's.
 */
'use strict';

const crypto = require('node:crypto');
const { hash, header, holds, hs256, jwt_cases, post } = require('./lib.js');

const NAME = 'MessageBird-Signature-JWT';
const URL_ = 'https://example.com/hook?a=1&b=%20';

module.exports = [{
	provider: 'bird', sdk: 'messagebird',
	secrets: ['sharedsecret-4f1c', 'anothersecret-77ab'],
	header: NAME, signature: /[^.]+$/,
	signs_url: true,
	/* exp is a minute ahead, and the SDK allows five seconds. */
	window: 65,
	bodies: ['compact', 'pretty', 'newline', 'form', 'empty'],
	more: jwt_cases(NAME),
	make(body, at, secret)
	{
		const time = Math.floor(at / 1000);

		return post(body, { [NAME]: hs256({
			iss: 'MessageBird', jti: 'j-1',
			iat: time, nbf: time, exp: time + 60,
			url_hash: hash('sha256', URL_, 'hex'),
			...(body !== '' && { payload_hash: hash('sha256', body, 'hex') }),
		}, secret) }, { url: URL_ });
	},
	verify(request, secret)
	{
		const { verify } = require('messagebird/lib/webhook-signature-jwt');

		return holds(/invalid signature/, () => verify(request.url,
		    Buffer.from(request.body), header(request, NAME),
		    crypto.createSecretKey(Buffer.from(secret))));
	},
}];
