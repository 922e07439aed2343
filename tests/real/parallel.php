<?php
/*
 * One of several PHPs that want the same session at the same moment.
 *
 * Where cycle.php knows what a session must hold, this one cannot: the others change it in between. It
 * increments whatever it finds and tells each request as one JSON line, with the times on the machine's
 * monotonic clock (ms), so that the requests of all processes can be put in order afterwards:
 *
 *   began, started    session_start() was called, and returned
 *   closing, ended    session_write_close() was called, and returned
 *   outcome           good, or "failed start" (nothing was written), or "failed write" (nobody knows)
 *   found             the count that the session held, null if none; a good request wrote one more
 *   session           the session's id at the end
 *
 * Orders come as JSON lines on stdin, "id" being the session's number, 0 by default, or an id itself:
 *
 *   {"do": "visit"}                                      one request
 *   {"do": "flow", "times": 50,                          requests until this many are done and the next order,
 *    "pause_ms": 20, "breath_ms": 5}                     {"do": "stop"}, has come; each holds the session for
 *                                                        up to pause_ms, and up to breath_ms are between them
 *   {"do": "round"}                                      one request for every id
 *   {"do": "hold"}                                       tells "started" and keeps the session until the next
 *                                                        order, {"do": "release"}
 *   {"do": "renew", "delete": true}                      one request that gives the session another id
 *   {"do": "destroy"}                                    session_start() and session_destroy()
 *   {"do": "read"}                                       session_start(['read_and_close' => true])
 *   {"do": "abort"}                                      session_start() and session_abort()
 *
 * Each order ends with the line {"done": true}. Arguments: the number of ids and their label, as for cycle.php.
 */

declare(strict_types=1);

$notices = [];
set_error_handler(function (int $level, string $text) use (&$notices): bool {
    if (end($notices) !== $text) { // while it waits for a lock php-memcached says the same many times
        $notices[] = $text;
    }
    return true;
});

function say(array $line): void
{
    fwrite(STDOUT, json_encode($line, JSON_THROW_ON_ERROR) . "\n");
    fflush(STDOUT);
}

/* The next order, or null when there is none within the time (no limit: null). */
function order(?float $within_ms = null): ?array
{
    $ready = [STDIN];
    $none = null;
    $micros = $within_ms === null ? null : (int) ($within_ms * 1000);
    if (stream_select($ready, $none, $none, $micros === null ? null : 0, $micros) === 0) {
        return null;
    }
    $line = fgets(STDIN);
    if ($line === false) {
        exit(0);
    }
    return json_decode($line, true, 8, JSON_THROW_ON_ERROR);
}

/* What this returns; false if it throws, as phpredis does where the others warn. */
function survived(callable $do): bool
{
    global $notices;
    try {
        return $do();
    } catch (RedisException|RedisClusterException $thrown) {
        $notices[] = 'thrown: ' . $thrown->getMessage();
        return false;
    }
}

function now(): float
{
    return round(hrtime(true) / 1e6, 3);
}

/* One page view of this session; `meanwhile` runs while it is held. */
function request(string $id, callable $meanwhile): void
{
    global $notices;
    $notices = [];
    session_id($id);
    $_SESSION = [];
    $request = ['began' => now(), 'outcome' => 'failed start', 'found' => null];
    if (survived(session_start(...))) {
        $request['started'] = now();
        $request['found'] = $_SESSION['n'] ?? null;
        $meanwhile();
        $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
        $request['closing'] = now();
        // PHP answers true and warns when the handler could not store the session.
        $seen = count($notices);
        $closed = survived(session_write_close(...));
        $warned = preg_grep('/Failed to write session data/i', array_slice($notices, $seen));
        $request['outcome'] = $closed && !$warned ? 'good' : 'failed write';
        $request['session'] = session_id();
    } elseif (session_status() === PHP_SESSION_ACTIVE) {
        session_abort();
    }
    say(['request' => $request + ['started' => now(), 'closing' => now(), 'ended' => now(), 'notices' => $notices]]);
}

/* A request that counts nothing, and what it found. */
function look(string $id, array $options, callable $leave): void
{
    session_id($id);
    $_SESSION = [];
    $started = survived(fn() => session_start($options));
    say(['look' => ['started' => $started, 'found' => $_SESSION['n'] ?? null]]);
    if (session_status() === PHP_SESSION_ACTIVE) {
        $leave();
    }
}

/* A number between 0 and the largest, mostly small ones. */
function some(int $largest): int
{
    return (int) ($largest * (mt_rand() / mt_getrandmax()) ** 3);
}

function flow(string $id, int $times, int $pause_ms, int $breath_ms): void
{
    $stopped = false;
    for ($done = 0; !$stopped || $done < $times; $done++) {
        request($id, fn() => usleep(some($pause_ms * 1000)));
        // Without a breath whoever just had the session takes it again at once, and the others grow patient.
        if ($stopped) {
            usleep(mt_rand(0, $breath_ms * 1000));
        } else {
            $stopped = order(mt_rand(0, $breath_ms)) !== null;
        }
    }
}

$nothing = fn() => null;
$ids = array_map(fn(int $i) => substr(sha1("$argv[2]-$i"), 0, 26), range(0, (int) $argv[1] - 1));
while (true) {
    $order = order();
    $id = $ids[$order['id'] ?? 0] ?? $order['id'];
    match ($order['do']) {
        'visit' => request($id, $nothing),
        'flow' => flow($id, $order['times'], $order['pause_ms'], $order['breath_ms']),
        'round' => array_map(fn(string $id) => request($id, $nothing), $ids),
        'hold' => request($id, function () {
            say(['started' => true]);
            order();
        }),
        'renew' => request($id, fn() => session_regenerate_id($order['delete'])),
        'read' => look($id, ['read_and_close' => true], $nothing),
        'abort' => look($id, [], session_abort(...)),
        'destroy' => look($id, [], session_destroy(...)),
    };
    say(['done' => true]);
}
