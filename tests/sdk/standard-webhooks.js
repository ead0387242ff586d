/*
 * standard-webhooks.js - Standard Webhooks and senders that sign so: the official
 * SDKs of most wrap the same library, OpenAI and Replicate have their own.
 */
'use strict';

const crypto = require('node:crypto');
const { hmac, header, headers, holds, post, seconds, TWICE, NO_CLOCK,
    READS_NUMBER, LOOSE_BASE64 } = require('./lib.js');

const NO_VERSION = 'the SDK does not look at the version of a signature';

/* What the library says of a request that it refuses. */
const REFUSAL = /^WebhookVerificationError: /;
const UNUSABLE = /incorrect characters for decoding/;

function family(more)
{
	const names = more.names ?? 'webhook';

	return {
		secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
		    'whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4='],
		header: names + '-signature',
		time: names + '-timestamp',
		window: 300,
		signs_headers: [names + '-id'],
		downgrades: [['v1,', 'v0,'], ['v1,', 'v1a,'], ['v1,', 'v2,']],
		several: (...signatures) => signatures.join(' '),
		make(body, at, secret)
		{
			const key = Buffer.from(secret.trim().slice('whsec_'.length), 'base64');
			const time = seconds(at);

			return post(body, {
				[names + '-id']: 'msg_1',
				[names + '-timestamp']: time,
				[names + '-signature']: 'v1,' + hmac('sha256', key,
				    `msg_1.${time}.${body}`, 'base64'),
			});
		},
		unusable: UNUSABLE,
		...more,
		stricter: { ...TWICE, ...more.stricter },
	};
}

module.exports = [
	family({
		provider: 'standard-webhooks', sdk: 'standardwebhooks',
		stricter: READS_NUMBER,
		verify(request, secret)
		{
			const { Webhook } = require('standardwebhooks');

			return holds(REFUSAL, () => new Webhook(secret)
			    .verify(request.body, headers(request)));
		},
	}),
	family({
		provider: 'svix', sdk: 'svix', names: 'svix',
		stricter: READS_NUMBER,
		verify(request, secret)
		{
			const { Webhook } = require('svix');

			return holds(REFUSAL, () => new Webhook(secret)
			    .verify(request.body, headers(request)));
		},
	}),
	family({
		provider: 'resend', sdk: 'resend', names: 'svix',
		stricter: READS_NUMBER,
		verify(request, secret)
		{
			const { Resend } = require('resend');

			return holds(REFUSAL, () => new Resend('re_key').webhooks.verify({
				payload: request.body,
				webhookSecret: secret,
				headers: {
					id: header(request, 'svix-id'),
					timestamp: header(request, 'svix-timestamp'),
					signature: header(request, 'svix-signature'),
				},
			}));
		},
	}),
	family({
		provider: 'openai', sdk: 'openai',
		stricter: LOOSE_BASE64,
		verify(request, secret)
		{
			const { OpenAI } = require('openai');

			return holds(/ebhook timestamp|does not match|Missing required/,
			    () => new OpenAI({ apiKey: 'key' }).webhooks
			    .verifySignature(request.body, headers(request), secret));
		},
	}),
	family({
		provider: 'replicate', sdk: 'replicate',
		stricter: {
			...NO_CLOCK,
			'white space around the secret': 'the SDK takes base64 with ' +
			    'white space for a key; the hook is not started with it',
			'v1, made v0,': NO_VERSION,
			'v1, made v1a,': NO_VERSION,
			'v1, made v2,': NO_VERSION,
		},
		verify(request, secret)
		{
			const { validateWebhook } = require('replicate');

			return holds(/Missing required webhook headers/,
			    () => validateWebhook({
				body: request.body, secret,
				id: header(request, 'webhook-id'),
				timestamp: header(request, 'webhook-timestamp'),
				signature: header(request, 'webhook-signature'),
			}, crypto.webcrypto));
		},
	}),
];
