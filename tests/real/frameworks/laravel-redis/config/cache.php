<?php
// What Laravel's skeleton says of this store.
return [
    'default' => env('CACHE_DRIVER', 'file'),
    'stores' => ['redis' => ['driver' => 'redis', 'connection' => 'cache', 'lock_connection' => 'default']],
    'prefix' => env('CACHE_PREFIX', 'laravel_cache'),
];
