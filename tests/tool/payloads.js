/*
 * payloads.js - the payloads of @octokit/webhooks-examples as files, and back.
 *
 *	node tests/tool/payloads.js unpack DIR
 *		DIR/payload/NNNN.json each, and DIR/list: a line for each of
 *		number, event's name, delivery's id (a new one each time)
 *	node tests/tool/payloads.js compare DIR <EVENTS
 *		EVENTS: lines of "hooklatch events list --json --bodies".  Prints
 *		for each line of DIR/list: number, "same" or what differs, our id
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

/* All versions of GitHub that the package has examples of. */
function examples()
{
	const home = path.dirname(path.dirname(require.resolve(
	    '@octokit/webhooks-examples/api.github.com/index.json',
	    { paths: [process.cwd()] })));
	const all = [];

	for (const version of fs.readdirSync(home).sort()) {
		const index = path.join(home, version, 'index.json');
		if (!fs.existsSync(index))
			continue;
		for (const event of JSON.parse(fs.readFileSync(index, 'utf8')))
			for (const payload of event.examples)
				all.push({ name: event.name, payload });
	}
	return all;
}

function unpack(dir)
{
	const list = [];

	fs.mkdirSync(path.join(dir, 'payload'));
	examples().forEach(({ name, payload }, i) => {
		const number = String(i + 1).padStart(4, '0');
		/* GitHub sends without spaces; the bytes written here are what
		 * is signed, sent and compared from now on. */
		fs.writeFileSync(path.join(dir, 'payload', number + '.json'),
		    JSON.stringify(payload));
		list.push([number, name, crypto.randomUUID()].join('\t') + '\n');
	});
	fs.writeFileSync(path.join(dir, 'list'), list.join(''));
}

function difference(event, name, body)
{
	if (event === undefined)
		return 'not in the inbox';
	if (event.several)
		return 'more than once in the inbox';
	if (event.event_type !== name)
		return 'of the type ' + event.event_type;
	if (event.provider !== 'github')
		return 'of the provider ' + event.provider;
	if (event.repeats !== 0)
		return 'with ' + event.repeats + ' repeats';
	if (event.size !== body.length)
		return 'of ' + event.size + ' bytes, not ' + body.length;
	if (!Buffer.from(event.body_base64, 'base64').equals(body))
		return 'with another body';
	return 'same';
}

async function compare(dir)
{
	const wanted = fs.readFileSync(path.join(dir, 'list'), 'utf8')
	    .trimEnd().split('\n').map((line) => line.split('\t'));
	const ours = new Map(wanted.map(([, , id]) => [id, undefined]));

	for await (const line of readline.createInterface({ input: process.stdin })) {
		const event = JSON.parse(line);
		if (!ours.has(event.event_id))
			continue;
		event.several = ours.get(event.event_id) !== undefined;
		ours.set(event.event_id, event);
	}
	for (const [number, name, id] of wanted) {
		const event = ours.get(id);
		const body = fs.readFileSync(path.join(dir, 'payload', number + '.json'));
		console.log([number, difference(event, name, body),
		    event === undefined ? '-' : event.id].join('\t'));
	}
}

const [verb, dir] = process.argv.slice(2);
if (verb === 'unpack' && dir)
	unpack(dir);
else if (verb === 'compare' && dir)
	compare(dir);
else {
	console.error('usage: payloads.js unpack|compare DIR');
	process.exit(64);
}
