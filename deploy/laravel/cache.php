<?php
// config/cache.php of a Laravel site: the store that the memcached session driver keeps its sessions in.
// A site that has this file already takes over the store below and keeps the rest of its own.

return [

    // Other caches may stay where they are. What counts across servers (rate limits, locks) belongs in memrep, too.
    'default' => env('CACHE_STORE', env('CACHE_DRIVER', 'memcached')),

    'stores' => [

        // The session driver takes the store of its own name, memcached, unless SESSION_STORE names another one.
        'memcached' => [
            'driver' => 'memcached',

            // All nodes, in the same order on every web server, so that all ask the same node for a session.
            'servers' => [
                ['host' => '10.1.1.1', 'port' => 11211, 'weight' => 1],
                ['host' => '10.2.2.2', 'port' => 11211, 'weight' => 1],
                ['host' => '10.3.3.3', 'port' => 11211, 'weight' => 1],
            ],

            // Nothing here: FailoverMemcached sets what it needs, and says why. In particular no
            // 'persistent_id', and no OPT_REMOVE_FAILED_SERVERS.
            'options' => [],
        ],

    ],

    // The same on every web server: it is the beginning of the sessions' keys.
    'prefix' => env('CACHE_PREFIX', 'site_cache'),

];
