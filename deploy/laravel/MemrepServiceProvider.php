<?php
// Gives Laravel's memcached cache driver, and with it the memcached session driver, the class that fails over.
// Goes to app/Providers/; name it in bootstrap/providers.php (Laravel 11 and later) or in the 'providers' of
// config/app.php (earlier).

namespace App\Providers;

use App\FailoverMemcached;
use Illuminate\Cache\MemcachedConnector;
use Illuminate\Support\ServiceProvider;

class MemrepServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        // extend, not bind: Laravel's own provider of this name is registered late and would win.
        $this->app->extend('memcached.connector', fn () => new class extends MemcachedConnector
        {
            protected function createMemcachedInstance($connectionId)
            {
                return new FailoverMemcached;
            }
        });
    }
}
