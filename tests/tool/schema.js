/*
 * schema.js - do JSON Schemas of ours take what is right, and nothing else?
 *
 *	node tests/tool/schema.js SCHEMA FILE...	FILEs are right
 *	node tests/tool/schema.js --wrong SCHEMA FILE...	each is wrong
 *
 * Prints what is not so, and last "P passed F failed".
 */
'use strict';

const fs = require('node:fs');
const Ajv = require('ajv/dist/2020').default;

const wrong = process.argv[2] === '--wrong';
const [schema, ...files] = process.argv.slice(wrong ? 3 : 2);
const takes = new Ajv({ allErrors: false, allowUnionTypes: true })
    .compile(JSON.parse(fs.readFileSync(schema, 'utf8')));
let passed = 0, failed = 0;

for (const file of files) {
	if (takes(JSON.parse(fs.readFileSync(file, 'utf8'))) !== wrong) {
		passed++;
		continue;
	}
	failed++;
	console.log(`not kept: ${file}: ${wrong ? 'the schema takes it' :
	    JSON.stringify(takes.errors)}`);
}
console.log(`${passed} passed ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
