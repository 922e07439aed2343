<?php
/*
 * Session cycles, one after the other: how long each took, ms, as one line of JSON.
 *
 * Arguments: the number of sessions, and of cycles over them. Each session is begun before the clock counts, and
 * each cycle must find what the one before it wrote, or the run ends with status 1.
 */

declare(strict_types=1);

function cycle(string $id, int $turn): float
{
    $clock = hrtime(true);
    session_id($id);
    $_SESSION = [];
    if (!session_start() || ($_SESSION['n'] ?? 0) !== $turn) {
        fwrite(STDERR, "session $id holds " . json_encode($_SESSION) . " instead of $turn\n");
        exit(1);
    }
    $_SESSION = ['n' => $turn + 1, 'luggage' => str_repeat('x', 450)];
    session_write_close();
    return (hrtime(true) - $clock) / 1e6;
}

[, $sessions, $cycles] = array_map('intval', $argv);
$mark = bin2hex(random_bytes(8));
$took = [];
for ($i = 0; $i < $sessions + $cycles; $i++) {
    $took[] = cycle(substr(sha1($mark . $i % $sessions), 0, 26), intdiv($i, $sessions));
}
fwrite(STDOUT, json_encode(array_slice($took, $sessions)) . "\n");
