/*
 * pubsub.js - Google Cloud Pub/Sub push: a token of Google's, the body is not in
 * it.
 *
 * An example carries public_key (a JWKS, as Google publishes one), audience and
 * email (the service account of the subscription).
 */
'use strict';

const { header, holds, jwt_cases, key_pairs, post, rs256 } = require('./lib.js');

const NAME = 'Authorization';
const AUDIENCE = 'https://example.com/hook';
const EMAIL = 'push@project.iam.gserviceaccount.com';
const PAIRS = key_pairs('rsa', { modulusLength: 2048 });

function pem({ publicKey })
{
	return publicKey.export({ type: 'spki', format: 'pem' });
}

module.exports = [{
	provider: 'pubsub', sdk: 'google-auth-library',
	secrets: PAIRS,
	params: ({ publicKey }) => ({
		public_key: JSON.stringify({ keys: [{ kid: 'k1', use: 'sig', alg: 'RS256',
		    ...publicKey.export({ format: 'jwk' }) }] }),
		audience: AUDIENCE, email: EMAIL,
	}),
	header: NAME, signature: /[^.]+$/,
	/* exp is an hour ahead, and the SDK allows five minutes. */
	window: 3900,
	more: jwt_cases(NAME, pem(PAIRS[0])),
	make(body, at, { privateKey })
	{
		const time = Math.floor(at / 1000);

		return post(body, { [NAME]: 'Bearer ' + rs256({ kid: 'k1' }, {
			iss: 'https://accounts.google.com', aud: AUDIENCE,
			sub: '1234', email: EMAIL, email_verified: true,
			iat: time, exp: time + 3600,
		}, privateKey) });
	},
	/* The body is not signed: another account stands in the token. */
	flip: (request) => ({ ...request, headers: request.headers.map(
		([name, value]) => [name, name !== NAME ? value :
		    value.replace(/\.[^.]+\./, (claims) => '.' + Buffer.from(
		    Buffer.from(claims, 'base64url').toString().replace('push@', 'pull@'))
		    .toString('base64url') + '.')]) }),
	verify(request, pair)
	{
		const { OAuth2Client } = require('google-auth-library');
		const token = header(request, NAME).replace(/^Bearer /, '');

		return holds(/token|envelope|issuer|recipient|Expiration time/i,
		    async () => {
			const ticket = await new OAuth2Client()
			    .verifySignedJwtWithCertsAsync(token, { k1: pem(pair) },
			    AUDIENCE, ['https://accounts.google.com']);

			/* The guide leaves these to who receives. */
			return ticket.getPayload().email === EMAIL &&
			    ticket.getPayload().email_verified;
		});
	},
}];
