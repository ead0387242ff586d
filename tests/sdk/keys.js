/*
 * keys.js - the providers that sign with a private key of theirs, where the hook
 * knows the public one.
 */
'use strict';

const crypto = require('node:crypto');
const { header, holds, key_pairs, post, seconds, TWICE, PAST_ALONE, NO_CLOCK,
    LOOSE_BASE64 } = require('./lib.js');

const ED25519 = key_pairs('ed25519').map(({ privateKey, publicKey }) => ({
	privateKey,
	raw: Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url'),
}));
const P256 = key_pairs('ec', { namedCurve: 'P-256' });

function ed25519(more)
{
	return { secrets: ED25519, window: 300, ...more };
}

function discord(provider, window)
{
	return ed25519({
		provider, window, sdk: 'discord-interactions',
		stricter: NO_CLOCK,
		params: ({ raw }) => ({ public_key: raw.toString('hex') }),
		header: 'X-Signature-Ed25519', time: 'X-Signature-Timestamp',
		make(body, at, { privateKey })
		{
			const signature = crypto.sign(null,
			    Buffer.from(seconds(at) + body), privateKey);

			/* "00" and "0" are the same byte to the SDK. */
			if (signature.at(-1) === 0)
				return this.make(body, at - 1000, { privateKey });
			return post(body, {
				'X-Signature-Timestamp': seconds(at),
				'X-Signature-Ed25519': signature.toString('hex'),
			});
		},
		verify: (request, { raw }) => require('discord-interactions').verifyKey(
		    request.body, header(request, 'X-Signature-Ed25519'),
		    header(request, 'X-Signature-Timestamp'), raw.toString('hex')),
	});
}

module.exports = [
	discord('discord', 300),
	discord('discord-webhook-events', 900),

	ed25519({
		provider: 'telnyx', sdk: 'telnyx',
		stricter: { ...TWICE, ...PAST_ALONE, ...LOOSE_BASE64 },
		params: ({ raw }) => ({ public_key: raw.toString('base64') }),
		header: 'telnyx-signature-ed25519', time: 'telnyx-timestamp',
		make: (body, at, { privateKey }) => post(body, {
			'telnyx-timestamp': seconds(at),
			'telnyx-signature-ed25519': crypto.sign(null,
			    Buffer.from(`${seconds(at)}|${body}`), privateKey)
			    .toString('base64'),
		}),
		verify: (request, { raw }) => holds(/TelnyxSignatureVerificationError/,
		    () => require('telnyx')('key').webhooks.constructEvent(request.body,
		    header(request, 'telnyx-signature-ed25519'),
		    header(request, 'telnyx-timestamp'), raw.toString('base64'))),
	}),

	{
		provider: 'sendgrid', sdk: '@sendgrid/eventwebhook',
		stricter: { ...TWICE, ...LOOSE_BASE64 },
		secrets: P256,
		params: ({ publicKey }) => ({ public_key: spki(publicKey) }),
		header: 'X-Twilio-Email-Event-Webhook-Signature',
		time: 'X-Twilio-Email-Event-Webhook-Timestamp',
		make(body, at, { privateKey })
		{
			const signature = crypto.sign('sha256',
			    Buffer.from(seconds(at) + body), privateKey);

			/* One whose base64 is padded: then what is cut or doubled is
			 * always read in the same way. */
			if (signature.length % 3 === 0)
				return this.make(body, at, { privateKey });
			return post(body, {
				'X-Twilio-Email-Event-Webhook-Timestamp': seconds(at),
				'X-Twilio-Email-Event-Webhook-Signature':
				    signature.toString('base64'),
			});
		},
		verify(request, { publicKey })
		{
			const { EventWebhook, EventWebhookHeader } =
			    require('@sendgrid/eventwebhook');
			const sdk = new EventWebhook();

			return holds(/wanted (sequence|integer)|trailing junk/,
			    () => sdk.verifySignature(
			    sdk.convertPublicKeyToECDSA(spki(publicKey)), request.body,
			    header(request, EventWebhookHeader.SIGNATURE()),
			    header(request, EventWebhookHeader.TIMESTAMP())));
		},
	},
];

function spki(key)
{
	return key.export({ type: 'spki', format: 'der' }).toString('base64');
}
