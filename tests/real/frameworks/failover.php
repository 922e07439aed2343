<?php
// failover.php SETTINGS: many short requests' worth of commands, each with a client of its own; tells what was wrong.
//
// Every command that the class has is given to it, about what the round before this one has left. A client that
// fails says so in different ways; here only the right answer counts.

$settings = json_decode($argv[1], true);
require $settings['class_file'];

$wrong = [];
for ($i = 0; $i < $settings['keys']; $i++) {
    $client = new $settings['class'];
    $client->setOption(Memcached::OPT_BINARY_PROTOCOL, $settings['binary']);
    $client->addServers($settings['servers']);
    $round = $settings['round'];
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
