<?php
// Laravel on the command line, in the site's directory, named by SITE.
//
//   console.php artisan COMMAND     a command of Laravel's own
//   console.php answers NAME...     what each of these uses of Laravel is answered, as one JSON object
//   console.php flow                workers of a counter under Cache::lock(), see below

require 'Illuminate/autoload.php';

use Illuminate\Cache\RateLimiter;
use Illuminate\Contracts\Console\Kernel as KernelContract;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Console\Kernel;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\Queue;
use Illuminate\Support\Facades\Redis;

class Job implements Illuminate\Contracts\Queue\ShouldQueue
{
    use Illuminate\Bus\Queueable;
}

$app = new Application(getenv('SITE'));
$app->singleton(KernelContract::class, Kernel::class);
$app->singleton(ExceptionHandler::class, Handler::class);
$kernel = $app->make(KernelContract::class);

/* Each a use of Laravel's that a site may make; in this order. */
$uses = [
    'put' => fn () => Cache::put('book', ['title' => 'Notes'], 60),
    'get' => fn () => Cache::get('book'),
    'get of nothing' => fn () => Cache::get('nothing'),
    'has' => fn () => [Cache::has('book'), Cache::has('nothing')],
    'putMany' => fn () => Cache::putMany(['one' => 1, 'two' => 'b'], 60),
    'many' => fn () => Cache::many(['one', 'two', 'three']),
    'add' => fn () => [Cache::add('added', 'x', 60), Cache::add('added', 'y', 60), Cache::get('added')],
    'forever' => fn () => [Cache::forever('ever', 'x'), Cache::get('ever')],
    'remember' => fn () => [Cache::remember('kept', 60, fn () => 1), Cache::remember('kept', 60, fn () => 2)],
    'increment' => fn () => [Cache::increment('count'), Cache::increment('count', 5), Cache::decrement('count', 2)],
    'pull' => fn () => [Cache::pull('book'), Cache::get('book')],
    'forget' => fn () => [Cache::forget('one'), Cache::forget('one')],
    'lock' => function () {
        $lock = Cache::lock('l', 20);
        $rival = Cache::lock('l', 20);
        $owner = $lock->get() ? $lock->owner() : null;
        $told = [$rival->get(), $rival->release(), Cache::restoreLock('l', $owner)->release(), $rival->get()];
        $rival->forceRelease();

        return [...$told, Cache::lock('endless')->get(), Cache::lock('endless')->get()];
    },
    'rate limiter' => function () {
        $limiter = app(RateLimiter::class);
        $told = [];
        for ($n = 0; $n < 4; $n++) {
            $told[] = $limiter->attempt('visitor', 2, fn () => 'let in');
        }
        $left = $limiter->availableIn('visitor');
        $limiter->clear('visitor');

        return [...$told, $left > 50 && $left <= 60, $limiter->attempt('visitor', 2, fn () => 'let in')];
    },
    'funnel' => fn () => Redis::funnel('f')->limit(1)->block(0)->then(
        fn () => Redis::funnel('f')->limit(1)->block(0)->then(fn () => 'both', fn () => 'one')
    ),
    'count' => fn () => Cache::get('count'),
    'seconds of patience' => function () {
        Cache::get('ever');
        posix_kill((int) env('SERVER'), SIGSTOP);
        $began = microtime(true);
        try {
            Cache::get('ever');
        } catch (Exception) {
            return (int) round(microtime(true) - $began);
        } finally {
            posix_kill((int) env('SERVER'), SIGCONT);
        }
    },
    'get after a read error' => function () {
        posix_kill((int) env('SERVER'), SIGSTOP);
        try {
            Cache::get('ever');
        } catch (RedisException) {
            posix_kill((int) env('SERVER'), SIGCONT);
        }

        return Cache::get('ever');
    },
    // What wants more than strings.
    'tags' => fn () => Cache::tags('shop')->put('book', 'x', 60),
    'queue' => fn () => Queue::connection('redis')->push(new Job),
    'throttle' => fn () => Redis::throttle('t')->allow(1)->every(10)->block(0)->then(fn () => 'let in', fn () => 'kept out'),
    'list' => fn () => Redis::rpush('l', 'x'),
    'hash' => fn () => Redis::hset('h', 'field', 'x'),
];

function say(array $line): void
{
    fwrite(STDOUT, json_encode($line, JSON_THROW_ON_ERROR)."\n");
    fflush(STDOUT);
}

/* Whether the next order, {"do": "stop"}, comes within this time. */
function stopped(int $micros): bool
{
    [$ready, $none] = [[STDIN], null];

    return stream_select($ready, $none, $none, 0, $micros) > 0;
}

function now(): float
{
    return round(hrtime(true) / 1e6, 3);
}

/* One increment of the counter, told as parallel.php tells a request. */
function increment(int $seconds, int $pause_ms): void
{
    $told = ['began' => now(), 'outcome' => 'failed start', 'found' => null, 'notices' => []];
    try {
        $lock = Cache::lock('lock', $seconds)->betweenBlockedAttemptsSleepFor(5);
        $lock->block(30);
        try {
            $told['started'] = now();
            $told['found'] = (int) Cache::get('count');
            usleep(mt_rand(0, $pause_ms * 1000));
            $told['outcome'] = 'failed write';
            if (Cache::put('count', $told['found'] + 1, 600)) {
                $told['outcome'] = 'good';
            }
        } finally {
            $told['closing'] = now();
            $lock->release();
        }
    } catch (RedisException $failure) {
        $told['notices'][] = 'thrown: '.$failure->getMessage();
        // As the next request of php-fpm begins: with new connections.
        Redis::purge('default');
        Redis::purge('cache');
    }
    say(['request' => $told + ['started' => now(), 'closing' => now(), 'ended' => now()]]);
}

if ($argv[1] === 'artisan') {
    $status = $kernel->call($argv[2]);
    echo $kernel->output();
    exit($status);
}
$kernel->bootstrap();
if ($argv[1] === 'answers') {
    $answers = [];
    foreach (array_slice($argv, 2) as $name) {
        try {
            $answers[$name] = $uses[$name]();
        } catch (Throwable $failure) {
            $answers[$name] = 'thrown: '.$failure->getMessage();
        }
    }
    say($answers);
} else {
    // The orders of parallel.php.
    while ($order = json_decode((string) fgets(STDIN), true)) {
        do {
            increment($order['seconds'], $order['pause_ms']);
        } while (! stopped(mt_rand(0, $order['breath_ms'] * 1000)));
        fgets(STDIN);
        say(['done' => true]);
    }
}
