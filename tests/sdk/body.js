/*
 * body.js - the providers that sign the body alone, by an HMAC, in a header.
 */
'use strict';

const { hmac, header, headers, holds, post, TWICE, EITHER_CASE, LOOSE_BASE64,
    READS_AGAIN } = require('./lib.js');

const EITHER_PREFIX = {
	'sha256= made SHA256=': 'the name of the algorithm counts, not its case',
};

/* form: what the header says of a signature */
function family(encoding, more, form = (signature) => signature)
{
	return {
		secrets: ['sharedsecret-4f1c', 'anothersecret-77ab'],
		make: (body, at, secret) => post(body, {
			[more.header]: form(hmac(more.algorithm ?? 'sha256', secret,
			    body, encoding)),
			...more.headers,
		}),
		...more,
	};
}

module.exports = [
	family('hex', {
		provider: 'github', sdk: '@octokit/webhooks-methods',
		laxer: { ...EITHER_CASE, ...EITHER_PREFIX },
		header: 'X-Hub-Signature-256',
		headers: { 'X-GitHub-Event': 'push' },
		bodies: ['compact', 'pretty', 'newline', 'form'],
		downgrades: [['sha256=', 'sha1='], ['sha256=', ''], ['sha256=', 'SHA256=']],
		async verify(request, secret)
		{
			const { verify } = await import('@octokit/webhooks-methods');

			return holds(/signature required/, () => verify(secret,
			    request.body, header(request, 'X-Hub-Signature-256')));
		},
	}, (signature) => 'sha256=' + signature),

	family('hex', {
		provider: 'notion', sdk: '@notionhq/client',
		laxer: EITHER_PREFIX,
		header: 'X-Notion-Signature',
		downgrades: [['sha256=', 'sha1='], ['sha256=', ''], ['sha256=', 'SHA256=']],
		verify: (request, secret) => require('@notionhq/client')
		    .verifyWebhookSignature({
			body: request.body, verificationToken: secret,
			signature: header(request, 'X-Notion-Signature'),
		}),
	}, (signature) => 'sha256=' + signature),

	family('hex', {
		provider: 'razorpay', sdk: 'razorpay',
		laxer: EITHER_CASE,
		header: 'X-Razorpay-Signature',
		verify: (request, secret) => require('razorpay')
		    .validateWebhookSignature(request.body,
		    header(request, 'X-Razorpay-Signature'), secret),
	}),

	family('hex', {
		provider: 'modern-treasury', sdk: 'modern-treasury',
		laxer: EITHER_CASE,
		header: 'X-Signature',
		verify(request, secret)
		{
			const { ModernTreasury } = require('modern-treasury');
			const client = new ModernTreasury({ apiKey: 'key',
			    organizationID: 'org' });

			return holds(/Could not find X-Signature header/,
			    () => client.webhooks.validateSignature(request.body,
			    headers(request), { key: secret }));
		},
	}),

	family('hex', {
		provider: 'nango', sdk: '@nangohq/node',
		header: 'X-Nango-Hmac-Sha256',
		verify(request, secret)
		{
			const { Nango } = require('@nangohq/node');

			return new Nango({ apiKey: 'key', webhookSigningKey: secret })
			    .verifyIncomingWebhookRequest(request.body, headers(request));
		},
	}),

	family('hex', {
		provider: 'pusher', sdk: 'pusher',
		laxer: EITHER_CASE,
		header: 'X-Pusher-Signature',
		headers: { 'X-Pusher-Key': 'app-key' },
		verify: (request, secret) => new (require('pusher'))({
			appId: '1', key: 'app-key', secret, cluster: 'eu',
		}).webhook({
			headers: { 'x-pusher-signature': '', ...headers(request) },
			rawBody: request.body,
		}).isValid(),
	}),

	/* Given a parsed body, the SDK writes it again. */
	family('hex', {
		provider: 'smartcar', sdk: 'smartcar',
		laxer: EITHER_CASE, stricter: READS_AGAIN,
		header: 'SC-Signature',
		bodies: ['compact', 'letters'],
		verify: (request, secret) => require('smartcar').verifyPayload(secret,
		    header(request, 'SC-Signature'), JSON.parse(request.body)),
	}),

	family('base64', {
		provider: 'unit', sdk: '@unit-finance/unit-node-sdk',
		stricter: READS_AGAIN,
		algorithm: 'sha1',
		header: 'x-unit-signature',
		bodies: ['compact', 'letters'],
		verify(request, secret)
		{
			const { Unit } = require('@unit-finance/unit-node-sdk');

			return new Unit('token', 'https://example.com').webhooks.verify(
			    header(request, 'x-unit-signature'), secret,
			    JSON.parse(request.body));
		},
	}),

	{
		...family('hex', {
			provider: 'coinbase-commerce', sdk: 'coinbase-commerce-node',
			laxer: EITHER_CASE,
			header: 'X-CC-Webhook-Signature',
			verify(request, secret)
			{
				const { Webhook } = require('coinbase-commerce-node');

				return holds(/No signatures found matching/,
				    () => Webhook.verifyEventBody(request.body,
				    header(request, 'X-CC-Webhook-Signature'), secret));
			},
		}),
		/* The SDK wants an event in it before it looks at the signature. */
		make(body, at, secret)
		{
			const whole = body.replace('{',
			    '{"event":{"id":"e-1","type":"charge:created"},');

			return post(whole, { 'X-CC-Webhook-Signature':
			    hmac('sha256', secret, whole, 'hex') });
		},
	},

	family('base64', {
		provider: 'cronofy', sdk: 'cronofy',
		stricter: TWICE,
		header: 'Cronofy-HMAC-SHA256',
		several: (...signatures) => signatures.join(','),
		verify: (request, secret) => new (require('cronofy'))({}).hmacValid({
			hmac: header(request, 'Cronofy-HMAC-SHA256'),
			body: request.body, client_secret: secret,
		}),
	}),

	family('hex', {
		provider: 'easypost', sdk: '@easypost/api',
		laxer: EITHER_CASE,
		header: 'X-Hmac-Signature',
		downgrades: [['hmac-sha256-hex=', 'hmac-sha1-hex='],
		    ['hmac-sha256-hex=', '']],
		verify(request, secret)
		{
			const EasyPost = require('@easypost/api');

			return holds(/Webhook (received|does not contain)/,
			    () => new EasyPost('key').Utils.validateWebhook(
			    Buffer.from(request.body), headers(request), secret));
		},
	}, (signature) => 'hmac-sha256-hex=' + signature),

	family('hex', {
		provider: 'gocardless', sdk: 'gocardless-nodejs',
		stricter: TWICE,
		header: 'Webhook-Signature',
		verify(request, secret)
		{
			const { parse } = require('gocardless-nodejs/webhooks');

			return holds(/InvalidSignatureError/, () => parse(request.body,
			    secret, header(request, 'Webhook-Signature')));
		},
	}),

	family('base64', {
		provider: 'line', sdk: '@line/bot-sdk',
		stricter: { ...TWICE, ...LOOSE_BASE64 },
		header: 'X-Line-Signature',
		verify: (request, secret) => require('@line/bot-sdk')
		    .validateSignature(request.body, secret,
		    header(request, 'X-Line-Signature')),
	}),

	family('base64', {
		provider: 'worldline', sdk: 'onlinepayments-sdk-nodejs',
		header: 'X-GCS-Signature',
		headers: { 'X-GCS-KeyId': 'key-1' },
		verify(request, secret)
		{
			const { webhooks } = require('onlinepayments-sdk-nodejs');
			const store = { getSecretKey: async () => secret };

			return holds(/validate signature|could not find header/,
			    () => webhooks.init(store).validate(request.body,
			    headers(request)));
		},
	}),

	{
		...family('base64', {
			provider: 'adyen-platforms', sdk: '@adyen/api-library',
			header: 'HmacSignature',
			headers: { Protocol: 'HmacSHA256' },
			verify(request, secret)
			{
				const { default: Validator } =
				    require('@adyen/api-library/lib/src/utils/hmacValidator');

				return new Validator().validateBankingHMAC(
				    header(request, 'HmacSignature'), secret,
				    request.body);
			},
		}),
		secrets: ['11223344D785FBAE710E7F943F307971BB61B21281C98C9129B3D4018A57B2EB',
		    'DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00'],
		make: (body, at, secret) => post(body, {
			HmacSignature: hmac('sha256', Buffer.from(secret, 'hex'), body,
			    'base64'),
			Protocol: 'HmacSHA256',
		}),
	},

	family('base64', {
		provider: 'acuity', sdk: 'acuityscheduling',
		header: 'X-Acuity-Signature',
		bodies: ['form', 'repeated'],
		verify: (request, secret) => holds(/This message was forged/,
		    () => require('acuityscheduling').verifyMessageSignature(secret,
		    request.body, header(request, 'X-Acuity-Signature'))),
	}),

	family('base64', {
		provider: 'shopify', sdk: '@shopify/shopify-api',
		header: 'X-Shopify-Hmac-Sha256',
		headers: {
			'X-Shopify-API-Version': '2024-01',
			'X-Shopify-Shop-Domain': 'shop.myshopify.com',
			'X-Shopify-Topic': 'orders/create',
			'X-Shopify-Webhook-Id': 'w-1',
		},
		async verify(request, secret)
		{
			require('@shopify/shopify-api/adapters/node');
			const { LogSeverity, shopifyApi } = require('@shopify/shopify-api');
			const shopify = shopifyApi({
				apiKey: 'key', apiSecretKey: secret, scopes: ['read_orders'],
				hostName: 'example.com', apiVersion: '2024-01',
				isEmbeddedApp: false,
				logger: { level: LogSeverity.Error },
			});
			const { valid, reason, missingHeaders } = await shopify.webhooks.validate({
				rawBody: request.body, rawResponse: {},
				rawRequest: { method: 'POST', url: '/hook',
				    headers: headers(request) },
			});

			if (!valid && !/hmac/i.test(reason + missingHeaders))
				throw new Error(reason);
			return valid;
		},
	}),
];
