<?php
// push.php - a GitHub push, checked by PHP-FPM.

$body = file_get_contents('php://input');
$expected = 'sha256=' . hash_hmac('sha256', $body, getenv('BENCH_SECRET'));
if (!hash_equals($expected, $_SERVER['HTTP_X_HUB_SIGNATURE_256'] ?? '')) {
    http_response_code(401);
    return;
}
json_decode($body, true);
http_response_code(json_last_error() === JSON_ERROR_NONE ? 204 : 400);
