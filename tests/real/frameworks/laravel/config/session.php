<?php
// As in Laravel's skeleton, less what only other drivers look at.
return [
    'driver' => env('SESSION_DRIVER', 'file'),
    'store' => env('SESSION_STORE'),
    'lifetime' => env('SESSION_LIFETIME', 120),
    'expire_on_close' => false,
    'encrypt' => false,
    'lottery' => [2, 100],
    'cookie' => 'laravel_session',
    'path' => '/',
    'domain' => null,
    'secure' => false,
    'http_only' => true,
    'same_site' => 'lax',
];
