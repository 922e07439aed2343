<?php
// Lines for sites/default/settings.php of Drupal 8 and later, once the module "memcache" is enabled.
//
// Not tried with Drupal itself, for which there is no package in Debian: the class Memcache was, as the module uses it.
// Drupal keeps its sessions in the database, so a login does not depend on memrep; the cache bins do.

// The module can use either extension. The class Memcache (php-memcache) goes to the next node by itself. The class
// Memcached, which the module makes itself and which therefore cannot be FailoverMemcached, answers
// for a node that is gone as if the cache were empty, and loses what is written and invalidated meanwhile.
$settings['memcache']['extension'] = 'Memcache';

// How often the class looks for a node that answers. With the default of 20 it misses the last living one of three for
// one key in some thousands; it draws them by lot.
ini_set('memcache.max_failover_attempts', '1000');

// All nodes in one cluster, in the same order on every web server.
$settings['memcache']['servers'] = [
    '10.1.1.1:11211' => 'default',
    '10.2.2.2:11211' => 'default',
    '10.3.3.3:11211' => 'default',
];
$settings['memcache']['bins'] = ['default' => 'default'];

// What this site's keys begin with, where several sites share the nodes.
$settings['memcache']['key_prefix'] = 'site';

// Not persistent: after a node has hung up, the next request would wait a second for nothing.
$settings['memcache']['persistent'] = false;

$settings['cache']['default'] = 'cache.backend.memcache';
