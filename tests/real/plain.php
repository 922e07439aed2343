<?php
/*
 * A PHP that keeps its sessions by itself, with the class Redis or RedisCluster: as Laravel and Symfony do.
 *
 * To such a site whatever get() returns is the truth: a false is a session that does not exist, and is written
 * over. So here it is an anomaly, "empty", while an exception costs the one request that has met it ("failed
 * read", "failed write"). Orders, summary and anomalies are those of cycle.php; the only order is
 *
 *   {"do": "flow", "cycles": 1000, "pace_ms": 20}
 *
 * The nodes are those of the session.save_path: one host, or a cluster's seeds. A connection is kept until
 * something has thrown; with the class Redis every tenth cycle is a new request's.
 */

declare(strict_types=1);

function connect(): Redis|RedisCluster
{
    $path = ini_get('session.save_path');
    if (str_starts_with($path, 'seed')) {
        parse_str($path, $options);
        return new RedisCluster(null, $options['seed'], 1, (float) $options['read_timeout']);
    }
    $place = parse_url($path);
    $redis = new Redis();
    $redis->connect($place['host'], $place['port'], 1, null, 0, 2);
    return $redis;
}

/* What is wrong with what was found, by the counts from which it may be. */
function judge(mixed $found, int $from, int $to): ?string
{
    return match (true) {
        $found === false => $from === 0 ? null : 'empty',
        !is_string($found) || !preg_match('/^\d+$/', $found) || (int) $found > $to => 'wrong',
        (int) $found < $from => 'stale',
        default => null,
    };
}

function say(array $line): void
{
    fwrite(STDOUT, json_encode($line, JSON_THROW_ON_ERROR) . "\n");
    fflush(STDOUT);
}

/* Whether an order has come within this time. */
function ordered(?float $within_ms): bool
{
    $ready = [STDIN];
    $none = null;
    $micros = $within_ms === null ? null : (int) max(0, $within_ms * 1000);
    return stream_select($ready, $none, $none, $micros === null ? null : 0, $micros) > 0;
}

set_error_handler(fn(int $level, string $text) => true);
$client = null;
$expected = [];
while (($line = fgets(STDIN)) !== false) {
    $order = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
    $tally = ['cycles' => 0, 'ok' => 0, 'anomalies' => [], 'slowest_ms' => 0.0, 'notices' => []];
    $stopped = false;
    while (!$stopped || $tally['cycles'] < $order['cycles']) {
        $key = "$argv[2]:" . $tally['cycles'] % (int) $argv[1];
        [$from, $to] = $expected[$key] ?? [0, 0];
        $clock = hrtime(true);
        $trouble = 'failed read';
        $found = null;
        try {
            if ($tally['cycles'] % 10 === 0 && $client instanceof Redis) {
                $client = null;
            }
            $client ??= connect();
            $found = $client->get($key);
            $trouble = judge($found, $from, $to);
            $n = (int) $found + 1;
            $expected[$key] = [$n - 1, $n];
            if ($client->setex($key, 1440, (string) $n) === true) {
                $expected[$key] = [$n, $n];
            } else {
                $trouble ??= 'false write';
            }
        } catch (RedisException|RedisClusterException $thrown) {
            $client = null;
            $trouble ??= 'failed write';
            $text = $thrown->getMessage();
            $tally['notices'][$text] = ($tally['notices'][$text] ?? 0) + 1;
        }
        $ms = (hrtime(true) - $clock) / 1e6;
        $tally['cycles']++;
        $tally['slowest_ms'] = max($tally['slowest_ms'], round($ms, 1));
        if ($trouble === null) {
            $tally['ok']++;
        } else {
            $tally['anomalies'][$trouble] = ($tally['anomalies'][$trouble] ?? 0) + 1;
            say(['anomaly' => $trouble, 'id' => $key, 'found' => $found, 'expected' => [$from, $to],
                'cycle' => $tally['cycles'], 'ms' => round($ms, 1)]);
        }
        $stopped = $stopped || ordered(max(0, $order['pace_ms'] - $ms));
    }
    fgets(STDIN);
    say(['summary' => ['anomalies' => (object) $tally['anomalies'], 'notices' => (object) $tally['notices']] + $tally]);
}
