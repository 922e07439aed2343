<?php
// A Laravel site in one file: the real kernel, session middleware, CSRF verification and session guard.
// Its base directory, named by SITE, has files of deploy/laravel in it: an .env, and what else there is for its client.

namespace App\Http;

require 'Illuminate/autoload.php';
$site = getenv('SITE');
foreach (glob("$site/*Mem*.php") as $class) {
    require $class;
}

use Illuminate\Auth\GenericUser;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Contracts\Auth\UserProvider;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as KernelContract;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Foundation\Http\Kernel as HttpKernel;
use Illuminate\Http\Request;

/** Stands for the table of users, of whom there is one. */
class Users implements UserProvider
{
    public function retrieveById($id)
    {
        return new GenericUser(['id' => $id]);
    }

    public function retrieveByCredentials(array $given)
    {
        return $this->retrieveById($given['name']);
    }

    public function validateCredentials(Authenticatable $user, array $given)
    {
        return $given['name'] === 'ada' && $given['password'] === 'lovelace';
    }

    public function retrieveByToken($id, $token)
    {
        return null;
    }

    public function updateRememberToken(Authenticatable $user, $token)
    {
    }
}

class Kernel extends HttpKernel
{
    protected $middlewareGroups = ['web' => [
        \Illuminate\Cookie\Middleware\EncryptCookies::class,
        \Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse::class,
        \Illuminate\Session\Middleware\StartSession::class,
        \Illuminate\Foundation\Http\Middleware\VerifyCsrfToken::class,
    ]];

    protected $routeMiddleware = ['auth' => \Illuminate\Auth\Middleware\Authenticate::class];
}

class Pages
{
    public static function page(): array
    {
        return [
            'user' => auth()->id(),
            'visits' => session('visits', 0),
            'orders' => session('orders', 0),
            'token' => csrf_token(),
        ];
    }

    public static function login(): array
    {
        abort_unless(auth()->attempt(request()->only('name', 'password')), 403);
        session()->regenerate();

        return self::page();
    }

    public static function visit(): array
    {
        session()->increment('visits');

        return self::page();
    }

    public static function order(): array
    {
        session()->increment('orders');

        return self::page();
    }
}

$app = new Application($site);
$app->singleton(KernelContract::class, Kernel::class);
$app->singleton(ExceptionHandler::class, Handler::class);
$app->booted(function ($app) {
    $app['auth']->provider('fixed', fn () => new Users);
    $app['router']->group(['middleware' => 'web'], function ($router) {
        $router->get('/login', fn () => Pages::page());
        $router->post('/login', fn () => Pages::login());
        $router->get('/', fn () => Pages::visit())->middleware('auth');
        $router->post('/order', fn () => Pages::order())->middleware('auth');
    });
});

$kernel = $app->make(KernelContract::class);
$response = $kernel->handle($request = Request::capture())->send();
$kernel->terminate($request, $response);
