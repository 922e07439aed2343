<?php
// A visitor of a Laravel site comes once more: laravel_visit.php files DIRECTORY | redis HOST:PORT
//
// Laravel's own session over its own handlers, without a site around them. What is printed is his count.

require 'Illuminate/autoload.php';

use Illuminate\Cache\RedisStore;
use Illuminate\Cache\Repository;
use Illuminate\Filesystem\Filesystem;
use Illuminate\Redis\RedisManager;
use Illuminate\Session\CacheBasedSessionHandler;
use Illuminate\Session\FileSessionHandler;
use Illuminate\Session\Store;

const MINUTES = 120;

function redis(string $address): RedisStore
{
    [$host, $port] = explode(':', $address);
    $config = ['options' => ['prefix' => 'site_database_'], 'default' => ['host' => $host, 'port' => $port]];

    return new RedisStore(new RedisManager(null, 'phpredis', $config), 'site_cache');
}

$handler = $argv[1] === 'files'
    ? new FileSessionHandler(new Filesystem(), $argv[2], MINUTES)
    : new CacheBasedSessionHandler(new Repository(redis($argv[2])), MINUTES);
$session = new Store('session', $handler, str_repeat('visitor0', 5));
$session->start();
$session->put('n', $session->get('n', 0) + 1);
$session->save();
echo $session->get('n');
