<?php
// As in the site over memcached, with the provider of Redis in place of memrep's own.
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Cache\CacheServiceProvider;
use Illuminate\Cookie\CookieServiceProvider;
use Illuminate\Database\DatabaseServiceProvider;
use Illuminate\Encryption\EncryptionServiceProvider;
use Illuminate\Filesystem\FilesystemServiceProvider;
use Illuminate\Foundation\Providers\ArtisanServiceProvider;
use Illuminate\Foundation\Providers\ComposerServiceProvider;
use Illuminate\Queue\QueueServiceProvider;
use Illuminate\Redis\RedisServiceProvider;
use Illuminate\Session\SessionServiceProvider;
use Illuminate\View\ViewServiceProvider;

return [
    'env' => 'production',
    'debug' => true,
    'key' => str_repeat('k', 32),
    'cipher' => 'AES-256-CBC',
    'providers' => [
        ArtisanServiceProvider::class, AuthServiceProvider::class, CacheServiceProvider::class,
        ComposerServiceProvider::class, CookieServiceProvider::class, DatabaseServiceProvider::class,
        EncryptionServiceProvider::class, FilesystemServiceProvider::class, QueueServiceProvider::class,
        RedisServiceProvider::class, SessionServiceProvider::class, ViewServiceProvider::class,
    ],
];
