/*
 * livekit.js - LiveKit: a token that says the body's hash, in Authorization.
 *
 * An example carries secret (the API secret) and key_id (the API key, which is
 * the token's iss).
 */
'use strict';

const { hash, header, holds, hs256, jwt_cases, post } = require('./lib.js');

const NAME = 'Authorization';

module.exports = [{
	provider: 'livekit', sdk: 'livekit-server-sdk',
	secrets: ['sharedsecret-4f1c', 'anothersecret-77ab'],
	params: (secret) => ({ secret, key_id: 'apikey1' }),
	header: NAME, signature: /[^.]+$/,
	window: 300,
	more: jwt_cases(NAME),
	make(body, at, secret)
	{
		const time = Math.floor(at / 1000);

		return post(body, { [NAME]: hs256({
			iss: 'apikey1', nbf: time, exp: time + 300,
			sha256: hash('sha256', body, 'base64'),
		}, secret) });
	},
	async verify(request, secret)
	{
		const { WebhookReceiver } = await import('livekit-server-sdk');

		return holds(/^JW|authorization header|checksum|none algorithm/,
		    () => new WebhookReceiver('apikey1', secret).receive(
		    request.body, header(request, NAME)));
	},
}];
