/*
 * timed.js - the providers that sign a time and the body, with a shared secret.
 */
'use strict';

const { hmac, hash, header, headers, holds, post, seconds, TWICE, EITHER_CASE,
    PAST_ALONE, NO_CLOCK, READS_NUMBER, LOOSE_BASE64, READS_AGAIN } =
    require('./lib.js');

const NO_VERSION = 'the SDK does not look at the version of a signature';
const SECRETS = ['sharedsecret-4f1c', 'anothersecret-77ab'];
const T = /(?<=t=|ts=)\d+/;

/* "t=TIME,v1=SIGNATURE" over "TIME.BODY", and what is like it */
function list(more)
{
	const form = more.form ?? ((time, signature) => `t=${time},v1=${signature}`);
	const unit = more.unit ?? seconds;

	return {
		secrets: SECRETS, window: 300, time: T,
		downgrades: [['v1=', 'v0='], ['v1=', 'v2='], ['v1=', '']],
		make(body, at, secret)
		{
			const time = unit(at);

			return post(body, { [more.header]: form(time,
			    hmac('sha256', secret, `${time}${more.dot ?? '.'}${body}`,
			    more.encoding ?? 'hex')) });
		},
		...more,
	};
}

module.exports = [
	list({
		provider: 'stripe', sdk: 'stripe',
		stricter: { ...TWICE, ...PAST_ALONE, ...READS_NUMBER },
		laxer: EITHER_CASE,
		header: 'Stripe-Signature',
		several: (a, b) => `${a},${b.replace(/^t=\d+,/, '')}`,
		verify: (request, secret) => holds(
		    /StripeSignatureVerificationError|secureCompare must receive two/,
		    () => require('stripe').webhooks.constructEvent(request.body,
		    header(request, 'Stripe-Signature'), secret)),
	}),

	list({
		provider: 'mux', sdk: '@mux/mux-node',
		stricter: { ...TWICE, ...PAST_ALONE, ...READS_NUMBER },
		laxer: EITHER_CASE,
		header: 'Mux-Signature',
		several: (a, b) => `${a},${b.replace(/^t=\d+,/, '')}`,
		verify(request, secret)
		{
			const { Mux } = require('@mux/mux-node');
			const mux = new Mux({ tokenId: 'id', tokenSecret: 'token' });

			return holds(/mux-signature|Unable to extract|signatures found|too old/,
			    () => mux.webhooks.verifySignature(request.body,
			    headers(request), secret));
		},
	}),

	list({
		provider: 'terra', sdk: 'terra-api',
		stricter: TWICE,
		header: 'terra-signature',
		several: (a, b) => `${a},${b.replace(/^t=\d+,/, '')}`,
		verify: (request, secret) => holds(/WebhookVerificationError/,
		    () => require('terra-api').verifyTerraWebhookSignature(request.body,
		    header(request, 'terra-signature'), secret)),
	}),

	list({
		provider: 'paddle', sdk: '@paddle/paddle-node-sdk',
		stricter: { ...TWICE, ...PAST_ALONE, ...READS_NUMBER },
		laxer: {
			...EITHER_CASE,
			'right and wrong': 'while a secret rotates there are two: the ' +
			    'SDK looks at the last alone, we at both',
		},
		header: 'Paddle-Signature',
		window: 5, dot: ':',
		form: (time, signature) => `ts=${time};h1=${signature}`,
		several: (a, b) => `${a};${b.replace(/^ts=\d+;/, '')}`,
		downgrades: [['h1=', 'h0='], ['h1=', 'h2='], ['h1=', '']],
		verify(request, secret)
		{
			const { Paddle } = require('@paddle/paddle-node-sdk');

			return holds(/Invalid webhook signature/,
			    () => new Paddle('key').webhooks.isSignatureValid(
			    request.body, secret, header(request, 'Paddle-Signature')));
		},
	}),

	list({
		provider: 'workos', sdk: '@workos-inc/node',
		stricter: {
			...TWICE, ...PAST_ALONE, ...READS_AGAIN,
			'v1= made v0=': NO_VERSION,
			'v1= made v2=': NO_VERSION,
		},
		laxer: EITHER_CASE,
		header: 'WorkOS-Signature',
		window: 180, unit: String,
		form: (time, signature) => `t=${time}, v1=${signature}`,
		/* Given a parsed body, the SDK writes it again. */
		bodies: ['compact', 'letters'],
		verify(request, secret)
		{
			const { WorkOS } = require('@workos-inc/node');

			return holds(/SignatureVerificationException/,
			    () => new WorkOS('key').webhooks.verifyHeader({
				payload: JSON.parse(request.body), secret,
				sigHeader: header(request, 'WorkOS-Signature'),
			}));
		},
	}),

	list({
		provider: 'sanity', sdk: '@sanity/webhook',
		stricter: NO_CLOCK,
		header: 'sanity-webhook-signature',
		unit: String, encoding: 'base64url',
		verify: (request, secret) => require('@sanity/webhook').isValidSignature(
		    request.body, header(request, 'sanity-webhook-signature'), secret),
	}),

	{
		provider: 'retell', sdk: 'retell-sdk',
		laxer: EITHER_CASE,
		secrets: SECRETS, window: 300,
		header: 'X-Retell-Signature', time: /(?<=v=)\d+/,
		downgrades: [['d=', 'v1='], ['d=', '']],
		make: (body, at, secret) => post(body, { 'X-Retell-Signature':
		    `v=${at},d=${hmac('sha256', secret, body + at, 'hex')}` }),
		verify: (request, secret) => require('retell-sdk').verify(request.body,
		    secret, header(request, 'X-Retell-Signature')),
	},

	{
		provider: 'slack', sdk: '@slack/bolt',
		stricter: PAST_ALONE,
		laxer: {
			...EITHER_CASE,
			'v0= made V0=': 'the version counts, not its case',
		},
		secrets: SECRETS, window: 300,
		header: 'X-Slack-Signature', time: 'X-Slack-Request-Timestamp',
		bodies: ['compact', 'pretty', 'newline', 'form'],
		downgrades: [['v0=', 'v1='], ['v0=', ''], ['v0=', 'V0=']],
		make: (body, at, secret) => post(body, {
			'X-Slack-Request-Timestamp': seconds(at),
			'X-Slack-Signature': 'v0=' + hmac('sha256', secret,
			    `v0:${seconds(at)}:${body}`, 'hex'),
		}),
		verify: (request, secret) => require('@slack/bolt').isValidSlackRequest({
			signingSecret: secret, body: request.body, headers: {
				'x-slack-signature': header(request, 'X-Slack-Signature'),
				'x-slack-request-timestamp': Number(header(request,
				    'X-Slack-Request-Timestamp')),
			},
		}),
	},

	{
		provider: 'orb', sdk: 'orb-billing',
		stricter: TWICE, laxer: EITHER_CASE,
		secrets: SECRETS, window: 300,
		header: 'X-Orb-Signature', time: 'X-Orb-Timestamp',
		downgrades: [['v1=', 'v0='], ['v1=', 'v2='], ['v1=', '']],
		several: (...signatures) => signatures.join(' '),
		make(body, at, secret)
		{
			/* In UTC, without saying so. */
			const time = new Date(at).toISOString().slice(0, -1);

			return post(body, {
				'X-Orb-Timestamp': time,
				'X-Orb-Signature': 'v1=' + hmac('sha256', secret,
				    `v1:${time}:${body}`, 'hex'),
			});
		},
		verify(request, secret)
		{
			const { Orb } = require('orb-billing');

			return holds(/Could not find|[Tt]imestamp|too old|too new|None of the/,
			    () => new Orb({ apiKey: 'key' }).webhooks.verifySignature(
			    request.body, headers(request), secret));
		},
	},

	{
		provider: 'crisp', sdk: 'crisp-api',
		stricter: { ...NO_CLOCK, ...READS_AGAIN }, laxer: EITHER_CASE,
		secrets: SECRETS, window: 300,
		header: 'X-Crisp-Signature', time: 'X-Crisp-Request-Timestamp',
		/* Given a parsed body, the SDK writes it again. */
		bodies: ['compact', 'letters'],
		make: (body, at, secret) => post(body, {
			'X-Crisp-Request-Timestamp': String(at),
			'X-Crisp-Signature': hmac('sha256', secret, `[${at};${body}]`,
			    'hex'),
		}),
		verify(request, secret)
		{
			const { Crisp } = require('crisp-api');

			return new Crisp().verifyWidget(secret, JSON.parse(request.body),
			    header(request, 'X-Crisp-Request-Timestamp'),
			    header(request, 'X-Crisp-Signature'));
		},
	},

	{
		provider: 'linear', sdk: '@linear/sdk',
		laxer: EITHER_CASE,
		secrets: SECRETS, window: 60,
		header: 'Linear-Signature',
		make(body, at, secret)
		{
			const whole = body.replace('{', `{"webhookTimestamp":${at},`);

			return post(whole, {
				'Linear-Delivery': '234d1a4e-b617-4388-90fe-adc3633d6b72',
				'Linear-Signature': hmac('sha256', secret, whole, 'hex'),
			});
		},
		async verify(request, secret)
		{
			const { LinearWebhookClient } = require('@linear/sdk/webhooks');
			const { status } = await new LinearWebhookClient(secret)
			    .createHandler()(new Request(request.url, {
				method: 'POST', headers: headers(request),
				body: request.body,
			}));

			if (status !== 200 && status !== 400)
				throw new Error('status ' + status);
			return status === 200;
		},
	},

	{
		provider: 'box', sdk: 'box-node-sdk',
		stricter: { ...TWICE, ...PAST_ALONE, ...LOOSE_BASE64 },
		secrets: SECRETS, window: 600,
		header: 'BOX-SIGNATURE-PRIMARY', time: 'BOX-DELIVERY-TIMESTAMP',
		signs_headers: ['BOX-SIGNATURE-VERSION', 'BOX-SIGNATURE-ALGORITHM'],
		make(body, at, secret)
		{
			const time = new Date(at).toISOString();

			return post(body, {
				'BOX-DELIVERY-ID': 'd-1',
				'BOX-DELIVERY-TIMESTAMP': time,
				'BOX-SIGNATURE-VERSION': '1',
				'BOX-SIGNATURE-ALGORITHM': 'HmacSHA256',
				'BOX-SIGNATURE-PRIMARY': hmac('sha256', secret, body + time,
				    'base64'),
			});
		},
		/* What node says of two lengths the SDK passes on. */
		verify: (request, secret) => holds(/same byte length/,
		    () => require('box-node-sdk').validateWebhookMessage(request.body,
		    { 'box-signature-primary': '', ...headers(request) }, secret)),
	},

	...['sha1', 'sha256'].map((algorithm) => ({
		provider: 'cloudinary', sdk: 'cloudinary', variant: algorithm,
		stricter: PAST_ALONE, laxer: EITHER_CASE,
		secrets: SECRETS, window: 7200,
		header: 'X-Cld-Signature', time: 'X-Cld-Timestamp',
		make: (body, at, secret) => post(body, {
			'X-Cld-Timestamp': seconds(at),
			'X-Cld-Signature': hash(algorithm, body + seconds(at) + secret,
			    'hex'),
		}),
		verify(request, secret)
		{
			const { config, utils } = require('cloudinary');

			config({ api_secret: secret, signature_algorithm: algorithm });
			return utils.verifyNotificationSignature(request.body,
			    header(request, 'X-Cld-Timestamp'),
			    header(request, 'X-Cld-Signature'));
		},
	})),
];
