<?php
/*
 * A PHP that uses sessions all day: one process, many session cycles over a set of session ids.
 *
 * A cycle is what a page does: start the session, look at $_SESSION, change it, close it. The
 * script remembers what every session must hold and reports each difference as one JSON line, so
 * that an EMPTY session (PHP's answer to nearly every trouble) is an anomaly with a time and not
 * a silent reset. Commands come as JSON lines on stdin; each ends with a summary line:
 *
 *   {"do": "round"}                                  one cycle for every id
 *   {"do": "flow", "cycles": 1000, "pace_ms": 20}    cycles until both this many are done and
 *                                                    the next command, {"do": "stop"}, has come
 *   {"do": "flow", ..., "tell": true}                the same, and each cycle is told, not only anomalies
 *   {"do": "page"}                                   during a flow: say so when the cycle under way is over
 *   {"do": "raise", "id": 0, "times": 25}            plain increments, whatever was there before
 *   {"do": "look"}                                   read every session without writing
 *   {"do": "expect", "n": 3}                         from now on every session should hold 3
 *   {"do": "visit", "id": 0, "n": 3}                 one cycle for this id, which should hold 3 now
 *
 * Arguments: the number of ids, and a name that makes them differ from other processes' ids.
 * Everything goes out through STDOUT and not through echo: PHP refuses to change a session id
 * after output, and what echo prints counts as output.
 */

declare(strict_types=1);

// Warnings are data here: a failed write, for one, is told by a warning only.
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

/* What a session of this id carries at count n: every tenth is large enough to be compressed. */
function luggage(string $id, int $n): string
{
    return str_repeat(sha1("$id at $n"), crc32($id) % 10 === 0 ? 1000 : 10);
}

final class Cycles
{
    /** @var string[] */
    public array $ids = [];
    public bool $tells = false;
    /** @var array<string, array{int, int}> the counts that each session may hold, from and to */
    private array $expected = [];
    private array $tally;
    private float $began;

    public function __construct(int $sessions, string $label)
    {
        for ($i = 0; $i < $sessions; $i++) {
            $this->ids[] = $id = substr(sha1("$label-$i"), 0, 26);
            $this->expected[$id] = [0, 0];
        }
        $this->began = microtime(true);
        $this->reset();
    }

    public function reset(): void
    {
        $this->tally = ['cycles' => 0, 'ok' => 0, 'anomalies' => [], 'slowest_ms' => 0.0, 'notices' => []];
    }

    public function expect(int $n): void
    {
        foreach ($this->ids as $id) {
            $this->expected[$id] = [$n, $n];
        }
    }

    public function visit(string $id, int $n): void
    {
        $this->expected[$id] = [$n, $n];
        $this->cycle($id);
    }

    public function summary(array $more = []): array
    {
        arsort($this->tally['notices']);
        $this->tally['notices'] = array_slice($this->tally['notices'], 0, 10);
        return ['summary' => ['anomalies' => (object) $this->tally['anomalies'],
            'notices' => (object) $this->tally['notices']] + $more + $this->tally];
    }

    /* One page view: what is found is checked, and one more is written. */
    public function cycle(string $id): void
    {
        global $notices;
        $notices = [];
        $clock = hrtime(true);
        [$from, $to] = $this->expected[$id];
        $started = $this->start($id);
        $read_ms = (hrtime(true) - $clock) / 1e6;
        if (!$started) {
            $trouble = 'failed start';
            $found = null;
        } else {
            $found = $_SESSION['n'] ?? null;
            $trouble = $this->judge($id, $found, $from, $to);
            $n = ($found ?? 0) + 1;
            $_SESSION = ['n' => $n, 'luggage' => luggage($id, $n)];
            $this->expected[$id] = [$n, $n];
            if (!$this->close()) {
                // Whether it arrived is open: the count before it and the count after are right.
                $this->expected[$id] = [$n - 1, $n];
                $trouble = $trouble === null ? 'failed write' : "$trouble, failed write";
            }
        }
        $this->note($id, $trouble, $found, [$from, $to], $read_ms, (hrtime(true) - $clock) / 1e6);
    }

    /* An increment that takes whatever count it finds, for several processes on one id. */
    public function raise(string $id): void
    {
        global $notices;
        $notices = [];
        $clock = hrtime(true);
        $trouble = 'failed start';
        if ($this->start($id)) {
            $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
            $trouble = $this->close() ? null : 'failed write';
        }
        $this->note($id, $trouble, null, null, 0.0, (hrtime(true) - $clock) / 1e6);
    }

    /* The counts that can be read now; null for a session that is empty or does not start. */
    public function look(): array
    {
        $counts = [];
        foreach ($this->ids as $id) {
            $counts[] = $this->start($id, ['read_and_close' => true]) ? ($_SESSION['n'] ?? null) : null;
        }
        return $counts;
    }

    private function start(string $id, array $options = []): bool
    {
        session_id($id);
        $_SESSION = [];
        $started = survived(fn() => session_start($options));
        if (!$started && session_status() === PHP_SESSION_ACTIVE) {
            session_abort();
        }
        return $started;
    }

    private function close(): bool
    {
        global $notices;
        // PHP answers true and warns when the handler could not store the session.
        $seen = count($notices);
        $closed = survived(session_write_close(...));
        $warned = preg_grep('/Failed to write session data/i', array_slice($notices, $seen));
        return $closed && !$warned;
    }

    private function judge(string $id, mixed $found, int $from, int $to): ?string
    {
        if ($found === null) {
            return $from === 0 ? null : 'empty';
        }
        if (!is_int($found) || $found > $to) {
            return 'wrong';
        }
        if ($found < $from) {
            return 'stale';
        }
        $luggage = $_SESSION['luggage'] ?? '';
        return $luggage === luggage($id, $found) ? null : 'torn';
    }

    private function note(string $id, ?string $trouble, mixed $found, ?array $due, float $read_ms, float $ms): void
    {
        global $notices;
        $this->tally['cycles']++;
        $this->tally['slowest_ms'] = max($this->tally['slowest_ms'], round($ms, 1));
        foreach ($notices as $text) {
            $this->tally['notices'][$text] = ($this->tally['notices'][$text] ?? 0) + 1;
        }
        if ($trouble === null) {
            $this->tally['ok']++;
        } else {
            $this->tally['anomalies'][$trouble] = ($this->tally['anomalies'][$trouble] ?? 0) + 1;
        }
        if ($trouble === null && !$this->tells) {
            return;
        }
        say(['anomaly' => $trouble, 'id' => $id, 'found' => $found, 'expected' => $due,
            'cycle' => $this->tally['cycles'], 'read_ms' => round($read_ms, 1), 'ms' => round($ms, 1),
            'at_s' => round(microtime(true) - $this->began, 3), 'at' => microtime(true), 'notices' => $notices]);
    }
}

/* The next command, or null when there is none within the time (no limit: null). */
function command(?float $within_ms = null): ?array
{
    $ready = [STDIN];
    $none = null;
    $micros = $within_ms === null ? null : (int) max(0, $within_ms * 1000);
    $seconds = $micros === null ? null : intdiv($micros, 1000000);
    if (stream_select($ready, $none, $none, $seconds, $micros === null ? null : $micros % 1000000) === 0) {
        return null;
    }
    $line = fgets(STDIN);
    if ($line === false) {
        exit(0);
    }
    return json_decode($line, true, 8, JSON_THROW_ON_ERROR);
}

function flow(Cycles $cycles, int $at_least, float $pace_ms): void
{
    $stopped = false;
    for ($done = 0; !$stopped || $done < $at_least; $done++) {
        $clock = hrtime(true);
        $cycles->cycle($cycles->ids[$done % count($cycles->ids)]);
        $rest_ms = $pace_ms - (hrtime(true) - $clock) / 1e6;
        if ($stopped) {
            usleep((int) max(0, $rest_ms * 1000));
        } else {
            $order = command($rest_ms);
            if (($order['do'] ?? null) === 'page') {
                say(['pages' => $done + 1]);
            } else {
                $stopped = $order !== null;
            }
        }
    }
}

$cycles = new Cycles((int) $argv[1], $argv[2]);
while (true) {
    $order = command();
    $more = [];
    $cycles->reset();
    switch ($order['do']) {
        case 'round':
            array_map($cycles->cycle(...), $cycles->ids);
            break;
        case 'flow':
            $cycles->tells = $order['tell'] ?? false;
            flow($cycles, $order['cycles'], (float) $order['pace_ms']);
            break;
        case 'raise':
            for ($i = 0; $i < $order['times']; $i++) {
                $cycles->raise($cycles->ids[$order['id']]);
            }
            break;
        case 'look':
            $more = ['counts' => $cycles->look()];
            break;
        case 'visit':
            $cycles->visit($cycles->ids[$order['id']], $order['n']);
            break;
        case 'expect':
            $cycles->expect($order['n']);
            break;
    }
    say($cycles->summary($more));
}
