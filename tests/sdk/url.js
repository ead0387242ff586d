/*
 * url.js - the providers that sign more of the request than a header and the
 * body, or what stands in a form.
 */
'use strict';

const querystring = require('node:querystring');
const { hash, header, hmac, holds, post, seconds, TWICE, EITHER_CASE } =
    require('./lib.js');

const SECRETS = ['sharedsecret-4f1c', 'anothersecret-77ab'];
const URL_ = 'https://example.com/hook?account=a%20b';

module.exports = [
	{
		provider: 'square', sdk: 'square',
		secrets: SECRETS, signs_url: true,
		header: 'x-square-hmacsha256-signature',
		make: (body, at, secret) => post(body, {
			'x-square-hmacsha256-signature': hmac('sha256', secret,
			    URL_ + body, 'base64'),
		}, { url: URL_ }),
		verify: (request, secret) => require('square').WebhooksHelper
		    .isValidWebhookEventSignature(request.body, header(request,
		    'x-square-hmacsha256-signature'), secret, request.url),
	},

	{
		provider: 'twilio', sdk: 'twilio', variant: 'form',
		secrets: SECRETS, signs_url: true,
		header: 'X-Twilio-Signature',
		bodies: ['form', 'repeated', 'empty'],
		make(body, at, secret)
		{
			const fields = querystring.parse(body);
			const url = 'https://example.com/hook?account=1';
			let signed = url;

			for (const name of Object.keys(fields).sort())
				for (const value of [...new Set([fields[name]].flat())].sort())
					signed += name + value;
			return post(body, { 'X-Twilio-Signature': hmac('sha1', secret,
			    signed, 'base64') }, { url });
		},
		flip: (request) => ({ ...request, body: request.body + '&more=1' }),
		verify: (request, secret) => require('twilio').validateRequest(secret,
		    header(request, 'X-Twilio-Signature'), request.url,
		    querystring.parse(request.body)),
	},

	{
		provider: 'twilio', sdk: 'twilio', variant: 'JSON',
		secrets: SECRETS, signs_url: true,
		header: 'X-Twilio-Signature',
		make(body, at, secret)
		{
			const url = 'https://example.com/hook?account=1&bodySHA256=' +
			    hash('sha256', body, 'hex');

			return post(body, { 'X-Twilio-Signature': hmac('sha1', secret,
			    url, 'base64') }, { url });
		},
		verify: (request, secret) => require('twilio').validateRequestWithBody(
		    secret, header(request, 'X-Twilio-Signature'), request.url,
		    request.body),
	},

	{
		provider: 'mercadopago', sdk: 'mercadopago',
		stricter: TWICE, laxer: EITHER_CASE,
		secrets: SECRETS,
		header: 'x-signature', time: /(?<=ts=)\d+/,
		signs_headers: ['x-request-id'],
		downgrades: [['v1=', 'v0='], ['v1=', 'v2='], ['v1=', '']],
		make: (body, at, secret) => post(body, {
			'x-request-id': 'req-1',
			'x-signature': `ts=${seconds(at)},v1=` + hmac('sha256', secret,
			    `id:123456;request-id:req-1;ts:${seconds(at)};`, 'hex'),
		}, { url: 'https://example.com/hook?data.id=123456&type=payment' }),
		/* The body is not signed. */
		flip: (request) => ({ ...request,
			url: request.url.replace('123456', '123457') }),
		verify(request, secret)
		{
			const { WebhookSignatureValidator } = require('mercadopago');
			const query = new URL(request.url).searchParams;

			return holds(/InvalidWebhookSignatureError/,
			    () => WebhookSignatureValidator.validate({
				xSignature: header(request, 'x-signature'),
				xRequestId: header(request, 'x-request-id'),
				dataId: query.get('data.id'), secret,
			}));
		},
	},

	{
		provider: 'braintree', sdk: 'braintree',
		laxer: {
			...EITHER_CASE,
			'wrong and right': 'of two signatures of one key the SDK looks ' +
			    'at the first, we at both',
		},
		secrets: SECRETS,
		params: (secret) => ({ secret, key_id: 'public-key' }),
		bodies: ['compact'],
		/* Signed by the SDK itself: its own notification, in two fields. */
		async make(body, at, secret)
		{
			const { bt_signature, bt_payload } = await gateway(secret)
			    .webhookTesting.sampleNotification('check', 'c-1');

			return post(querystring.stringify({ bt_signature, bt_payload }), {});
		},
		edit(request, change)
		{
			const fields = querystring.parse(request.body);

			return { ...request, body: [
				...change(fields.bt_signature).map((value) =>
				    querystring.stringify({ bt_signature: value })),
				querystring.stringify({ bt_payload: fields.bt_payload }),
			].join('&') };
		},
		several: (...signatures) => signatures.join('&'),
		downgrades: [['public-key|', 'other-key|'], ['public-key|', '']],
		flip(request)
		{
			const fields = querystring.parse(request.body);
			const xml = Buffer.from(fields.bt_payload, 'base64').toString();

			return { ...request, body: querystring.stringify({ ...fields,
				bt_payload: Buffer.from(xml.replace('check', 'chock'))
				    .toString('base64') + '\n' }) };
		},
		verify(request, secret)
		{
			const { bt_signature, bt_payload } =
			    querystring.parse(request.body);

			return holds(/invalidSignatureError|split is not a function/,
			    () => gateway(secret).webhookNotification.parse(
			    bt_signature, bt_payload));
		},
	},
];

function gateway(privateKey)
{
	const { BraintreeGateway, Environment } = require('braintree');

	return new BraintreeGateway({ environment: Environment.Sandbox,
	    merchantId: 'merchant', publicKey: 'public-key', privateKey });
}
