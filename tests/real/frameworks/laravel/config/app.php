<?php
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Cache\CacheServiceProvider;
use Illuminate\Cookie\CookieServiceProvider;
use Illuminate\Encryption\EncryptionServiceProvider;
use Illuminate\Filesystem\FilesystemServiceProvider;
use Illuminate\Session\SessionServiceProvider;
use Illuminate\View\ViewServiceProvider;

return [
    'env' => 'production',
    'debug' => true,
    'key' => str_repeat('k', 32),
    'cipher' => 'AES-256-CBC',
    'providers' => [
        AuthServiceProvider::class, CacheServiceProvider::class, CookieServiceProvider::class,
        EncryptionServiceProvider::class, FilesystemServiceProvider::class, SessionServiceProvider::class,
        ViewServiceProvider::class, App\Providers\MemrepServiceProvider::class,
    ],
];
