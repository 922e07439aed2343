<?php
// pecl.php ORDER: as failover.php, for the class Memcache as a plugin of WordPress or Drupal makes it from the
// settings of deploy/.

$order = json_decode($argv[1], true);
require $order['settings_file'];
[$servers, $persistent] = isset($memcached_servers)
    ? [$memcached_servers['default'], true]
    : [array_keys($settings['memcache']['servers']), $settings['memcache']['persistent']];

$wrong = [];
for ($n = 0; $n < $order['keys']; $n++) {
    $i = "{$order['name']}-$n";
    $client = new Memcache;
    foreach ($servers as $server) {
        [$host, $port] = explode(':', $server);
        $client->addServer($host, (int) $port, $persistent);
    }
    $round = $order['round'];
    $right = [
        ['get', ["key-$i"], $round ? "written in $round" : false],
        ['get', [["key-$i", "none-$i"]], $round ? ["key-$i" => "written in $round"] : []],
        ['set', ["key-$i", 'written in '.$round + 1, 0, 100], true],
        ['add', ["count-$i", 0, 0, 100], $round === 0],
        ['increment', ["count-$i", 3], $round + 3],
        ['decrement', ["count-$i", 2], $round + 1],
        ['set', ["one-$i", 1, 0, 100], true],
        ['delete', ["one-$i"], true],
        ['delete', ["one-$i"], false],
    ];
    foreach ($right as [$method, $arguments, $answer]) {
        $got = $client->$method(...$arguments);
        if ($got !== $answer) {
            $wrong[] = "$method $i: ".json_encode($got);
        }
    }
    $client->close();
}
echo json_encode($wrong);
