<?php
// Lines for wp-config.php, above the one that loads wp-settings.php.
//
// WordPress itself keeps no session: a login is a signed cookie and a row in the database. Two things may go to memrep:
//
// - Native PHP sessions, which some plugins begin: php/memcache.ini is all they need. Tried with WordPress 6.1.
// - The object cache, by a drop-in wp-content/object-cache.php; these lines are for the one of the plugin "Memcached
//   Object Cache" (Automattic's wp-memcached), which uses the class Memcache of php-memcache. The class goes to the
//   next node by itself. It was tried as that drop-in uses it, the drop-in itself was not: no package of Debian has it.
//
// What is cached is in the database, too, but for transients: with an object cache they live nowhere else. And a cache
// of several plain memcacheds shows old options and old permissions after a node was away; here all hold the same.
$memcached_servers = ['default' => ['10.1.1.1:11211', '10.2.2.2:11211', '10.3.3.3:11211']];

// How often the class looks for a node that answers. With the default of 20 it misses the last living one of three for
// one key in some thousands; it draws them by lot.
ini_set('memcache.max_failover_attempts', '1000');

// What this site's keys begin with, where several sites share the nodes.
define('WP_CACHE_KEY_SALT', 'site');

// The drop-in asks for persistent connections, and leaves a failed node out for 15 s in each PHP worker: a worker that
// saw all nodes fail within 15 s has no cache for the rest of them. Let a quarter of a minute pass between two nodes.
