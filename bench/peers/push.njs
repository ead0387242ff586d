// push.njs - a GitHub push, checked by nginx itself.  njs's own HMAC costs less here
// than its WebCrypto, which must be given the key for each request; it has no
// comparison in constant time.

const crypto = require('crypto');

function push(r) {
    const expected = 'sha256=' + crypto.createHmac('sha256', process.env.BENCH_SECRET)
        .update(r.requestBuffer).digest('hex');

    if (r.headersIn['X-Hub-Signature-256'] !== expected) {
        r.return(401);
        return;
    }
    try {
        JSON.parse(r.requestText);
    } catch (e) {
        r.return(400);
        return;
    }
    r.return(204);
}

export default { push };
