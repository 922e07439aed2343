<?php
// failover.php ORDER: many short requests' worth of commands, each with a client of its own; tells what was wrong.
//
// Every command that the class has is given to it, about what the round before this one has left. A client that
// fails says so in different ways; here only the right answer counts.

$order = json_decode($argv[1], true);
require $order['class_file'];

$wrong = [];
for ($n = 0; $n < $order['keys']; $n++) {
    $i = "{$order['name']}-$n";
    $client = new $order['class'];
    $client->setOption(Memcached::OPT_BINARY_PROTOCOL, $order['binary']);
    $client->addServers($order['servers']);
    $round = $order['round'];
    $right = [
        ['get', ["key-$i"], $round ? "written in $round" : false],
        ['getMulti', [["key-$i", "count-$i", "none-$i"]], $round ? ["key-$i" => "written in $round", "count-$i" => $round] : []],
        ['set', ["key-$i", 'written in '.$round + 1, 100], true],
        ['add', ["count-$i", 0, 100], $round === 0],
        ['increment', ["count-$i", 3], $round + 3],
        ['decrement', ["count-$i", 2], $round + 1],
        ['touch', ["key-$i", 100], true],
        ['setMulti', [["one-$i" => 1, "two-$i" => 2], 100], true],
        ['delete', ["one-$i"], true],
        ['delete', ["one-$i"], false],
    ];
    foreach ($right as [$method, $arguments, $answer]) {
        try {
            $got = $client->$method(...$arguments);
        } catch (RuntimeException $failure) {
            $got = $failure->getMessage();
        }
        if ($got != $answer || gettype($got) !== gettype($answer)) {
            $wrong[] = "$method $i: ".json_encode($got).' '.$client->getResultMessage();
        }
    }
}
echo json_encode($wrong);
