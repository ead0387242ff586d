/*
 * qstash.js - Upstash QStash: a token that says the URL and the body's hash.
 *
 * An example carries secrets (the current key and the next one) and url.
 */
'use strict';

const { hash, header, holds, hs256, jwt_cases, post } = require('./lib.js');

const NAME = 'Upstash-Signature';
const URL_ = 'https://example.com/hook';

module.exports = ['current', 'next'].map((which) => ({
	provider: 'qstash', sdk: '@upstash/qstash', variant: which,
	secrets: ['sig_4f1c0a', 'sig_77ab0a'],
	params: (secret) => ({ secrets: which === 'current' ? [secret, 'sig_other'] :
	    ['sig_other', secret] }),
	header: NAME, signature: /[^.]+$/,
	signs_url: true, window: 300,
	bodies: ['compact', 'pretty', 'newline', 'form', 'empty'],
	laxer: { 'stale': 'the SDK allows no second between two clocks, we a minute' },
	more: jwt_cases(NAME),
	make(body, at, secret)
	{
		const time = Math.floor(at / 1000);

		return post(body, { [NAME]: hs256({
			iss: 'Upstash', sub: URL_, jti: 'jwt_1',
			iat: time, nbf: time, exp: time + 300,
			body: hash('sha256', body, 'base64url'),
		}, secret) }, { url: URL_ });
	},
	verify(request, secret)
	{
		const { Receiver } = require('@upstash/qstash');
		const [currentSigningKey, nextSigningKey] =
		    this.params(secret).secrets;

		return holds(/SignatureError/, () => new Receiver({ currentSigningKey,
		    nextSigningKey }).verify({ signature: header(request, NAME),
		    body: request.body, url: request.url }));
	},
}));
