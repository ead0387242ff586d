/*
 * vonage.js - Vonage: a token that says the body's hash, in Authorization.
 *
 * An example carries secret (the account's signature secret).
 */
'use strict';

const { hash, header, hs256, jwt_cases, post } = require('./lib.js');

const NAME = 'Authorization';

const NO_IAT = 'the SDK does not look at iat';

module.exports = [{
	provider: 'vonage', sdk: '@vonage/jwt',
	secrets: ['sharedsecret-4f1c', 'anothersecret-77ab'],
	header: NAME, signature: /[^.]+$/,
	window: 300,
	stricter: {
		'stale': NO_IAT, 'ahead': NO_IAT,
		'nearly ahead': 'a token from more than a minute ahead is refused',
	},
	more: jwt_cases(NAME),
	make: (body, at, secret) => post(body, { [NAME]: 'Bearer ' + hs256({
		iss: 'Vonage', api_key: 'a1b2c3d', jti: 'j-1',
		iat: Math.floor(at / 1000),
		payload_hash: hash('sha256', body, 'hex'),
	}, secret) }),
	async verify(request, secret)
	{
		const { verifySignature } = await import('@vonage/jwt');
		const token = header(request, NAME).replace(/^Bearer /, '');

		if (!verifySignature(token, secret))
			return false;
		/* The SDK leaves the hash to who receives; the guide says how. */
		return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
		    .payload_hash === hash('sha256', request.body, 'hex');
	},
}];
