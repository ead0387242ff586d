/*
 * amazon-sns.js - Amazon SNS: an RSA signature in the body over some members of
 * it, by a certificate that the body names.
 *
 * An example carries fetched (the PEM that stands at SigningCertURL) and topic_arn.
 * Both versions of the signature: 1 is SHA-1, 2 is SHA-256.
 */
'use strict';

const crypto = require('node:crypto');
const https = require('node:https');
const { Readable } = require('node:stream');
const { edit_member, post, TWICE, TWICE_A_MEMBER, LOOSE_BASE64 } =
    require('./lib.js');
const { with_openssl } = require('./openssl.js');

const CERT_URL = 'https://sns.eu-west-1.amazonaws.com/' +
    'SimpleNotificationService-01.pem';
const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:topic';
const SIGNED = {
	Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn',
	    'Type'],
	SubscriptionConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp',
	    'Token', 'TopicArn', 'Type'],
};

let pairs;		/* made when they are wanted first */
let fetched = 0;	/* the SDK keeps what it fetched: each time another URL */

function certificates()
{
	pairs ??= ['one', 'two'].map((name) => with_openssl(({ openssl, read }) => {
		openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key',
		    '-out', 'cert', '-days', '30', '-subj', `/CN=${name}`);
		return { key: read('key'), cert: read('cert') };
	}));
	return pairs;
}

function adapter(version, type)
{
	return {
		provider: 'amazon-sns', sdk: 'sns-validator',
		variant: `${type} ${version}`,
		get secrets() { return certificates(); },
		params: ({ cert }) => ({ fetched: { [CERT_URL]: cert }, topic_arn: TOPIC }),
		edit: edit_member('Signature'),
		stricter: { ...TWICE, ...TWICE_A_MEMBER, ...LOOSE_BASE64 },
		bodies: ['compact', 'pretty', 'newline'],
		make(text, at, { key })
		{
			const message = {
				Type: type,
				MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
				TopicArn: TOPIC,
				...(type === 'Notification' ? { Subject: 'Grüße' } :
				    { Token: 't0ken', SubscribeURL: 'https://sns.eu-west-1.' +
				    'amazonaws.com/?Action=ConfirmSubscription' }),
				Timestamp: new Date(at).toISOString(),
				SignatureVersion: version,
			};
			const all = { ...message, Message: text };
			const signed = SIGNED[type].map((name) =>
			    `${name}\n${all[name]}\n`).join('');

			/* The text comes last: its last digit is one to change. */
			return { ...post(JSON.stringify({
				...message,
				Signature: crypto.sign(version === '1' ? 'sha1' : 'sha256',
				    Buffer.from(signed), key).toString('base64'),
				SigningCertURL: CERT_URL,
				Message: text,
			}), {
				'x-amz-sns-message-type': type,
				'x-amz-sns-topic-arn': TOPIC,
			}) };
		},
		/* The certificate is handed to the SDK where it would fetch it. */
		verify(request, { cert })
		{
			const Validator = require('sns-validator');
			const message = JSON.parse(request.body);
			const { get } = https;

			if (message.SigningCertURL)
				message.SigningCertURL = message.SigningCertURL
				    .replace('01.pem', `${++fetched}.pem`);
			https.get = (url, answer) => {
				answer(Object.assign(Readable.from([cert]),
				    { statusCode: 200 }));
				return { on: () => {} };
			};
			return new Promise((resolve, reject) => {
				new Validator().validate(message, (e) => {
					https.get = get;
					if (e && !/signature|missing required keys/.test(e.message))
						reject(e);
					resolve(!e);
				});
			});
		},
	};
}

module.exports = [adapter('1', 'Notification'), adapter('2', 'Notification'),
    adapter('2', 'SubscriptionConfirmation')];
