<?php
// What Laravel's skeleton says of Redis.
$connection = fn (int|string $database) => [
    'url' => env('REDIS_URL'),
    'host' => env('REDIS_HOST', '127.0.0.1'),
    'password' => env('REDIS_PASSWORD'),
    'port' => env('REDIS_PORT', '6379'),
    'database' => $database,
];

return ['redis' => [
    'client' => env('REDIS_CLIENT', 'phpredis'),
    'options' => ['cluster' => env('REDIS_CLUSTER', 'redis'), 'prefix' => env('REDIS_PREFIX', 'laravel_database_')],
    'default' => $connection(env('REDIS_DB', '0')),
    'cache' => $connection(env('REDIS_CACHE_DB', '1')),
]];
