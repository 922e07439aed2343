<?php
// The class Memcached of php-memcached, made to go on when a node fails. Laravel and Symfony keep sessions
// through that class; ../README.md says where this file goes.
//
// Why a class and not a few options: the plain class fails over too late. Whatever its options, a node that
// refuses costs a request its first command, and both frameworks take a get() that failed for "no such session":
// the visitor is logged out. Of 60 sessions, three memrep nodes, node 2 refusing, a new Memcached for each request
// (which reads a session and writes it):
//
//     options                                                       read as "no such session"   not written
//     defaults, text or binary                                                 15                   15
//     OPT_REMOVE_FAILED_SERVERS, OPT_SERVER_FAILURE_LIMIT = 1                  15                   15
//     the same with OPT_LIBKETAMA_COMPATIBLE                                   20                   20
//     the same with OPT_BINARY_PROTOCOL, OPT_NUMBER_OF_REPLICAS = 2             0                   22
//     this class, text or binary                                                0                    0
//
// The third row is the dangerous one: one command more in the request, and the empty session would be written over
// the good one. With a persistent_id OPT_REMOVE_FAILED_SERVERS is worse than nothing: a while after the node
// has come back all of its keys get SERVER IS MARKED DEAD, and that worker goes on saying so.
//
// The idea here: all nodes hold the same, so any of them may answer. A node that does not is left out for the
// rest of the request, and the same command goes to another one. When no node answers that is an exception,
// a page with an error 500, and the session stays as it was.
//
// What no client can know: whether a command whose answer got lost was carried out. A repeated get, set,
// touch or delete does no harm. A repeated add may answer "already there" about its own first attempt (a cache
// lock is then free again when it expires), a repeated increment may count twice.

namespace App;

final class FailoverMemcached extends \Memcached
{
    /** The result codes that say something about the key. After any other one nobody knows anything. */
    private const ANSWERS = [
        self::RES_SUCCESS, self::RES_NOTFOUND, self::RES_NOTSTORED, self::RES_DATA_EXISTS,
        self::RES_E2BIG, self::RES_BAD_KEY_PROVIDED,
    ];

    // No persistent_id: a node that is left out here would be left out for as long as the worker lives.
    public function __construct()
    {
        parent::__construct();
        $this->setOptions([
            // Text. Binary (true) works as well and gains nothing. It needs the next option: a get is two packets
            // there, and a miss takes 40 ms without it.
            self::OPT_BINARY_PROTOCOL => false,
            self::OPT_TCP_NODELAY => true,
            // Consistent hashing (it implies OPT_DISTRIBUTION = DISTRIBUTION_CONSISTENT, with a better spread): every
            // web server asks the same node for a key, and without that node only its own keys move.
            self::OPT_LIBKETAMA_COMPATIBLE => true,
            // ms. What a machine without power costs, which cannot refuse; 4 s by default.
            self::OPT_CONNECT_TIMEOUT => 200,
            // ms. What a frozen node costs a request; 5 s a command by default. Not below 1 s: memrep may need 0.8 s
            // once, when a peer has just died, and a shorter patience gives up all living nodes in that moment.
            self::OPT_POLL_TIMEOUT => 1000,
            // Not here: OPT_REMOVE_FAILED_SERVERS, OPT_SERVER_FAILURE_LIMIT, OPT_RETRY_TIMEOUT. This class does their
            // work, and they would only hide from it which node has failed.
        ]);
    }

    public function get(string $key, ?callable $cache_cb = null, int $get_flags = 0): mixed
    {
        return $this->failover($key, fn () => parent::get($key, $cache_cb, $get_flags));
    }

    /** All from one node: each holds everything. */
    public function getMulti(array $keys, int $get_flags = 0): array|false
    {
        $key = (string) reset($keys);

        return $this->failover($key, fn () => parent::getMultiByKey($key, $keys, $get_flags));
    }

    public function set(string $key, mixed $value, int $expiration = 0): bool
    {
        return $this->failover($key, fn () => parent::set($key, $value, $expiration));
    }

    public function setMulti(array $items, int $expiration = 0): bool
    {
        $stored = true;
        foreach ($items as $key => $value) {
            $stored = $this->set((string) $key, $value, $expiration) && $stored;
        }

        return $stored;
    }

    public function add(string $key, mixed $value, int $expiration = 0): bool
    {
        return $this->failover($key, fn () => parent::add($key, $value, $expiration));
    }

    public function touch(string $key, int $expiration = 0): bool
    {
        return $this->failover($key, fn () => parent::touch($key, $expiration));
    }

    public function delete(string $key, int $time = 0): bool
    {
        return $this->failover($key, fn () => parent::delete($key, $time));
    }

    public function increment(string $key, int $offset = 1, int $initial_value = 0, int $expiry = 0): int|false
    {
        $given = func_get_args();   // in text mode the class complains of more than two, defaults or not

        return $this->failover($key, fn () => parent::increment(...$given));
    }

    public function decrement(string $key, int $offset = 1, int $initial_value = 0, int $expiry = 0): int|false
    {
        $given = func_get_args();

        return $this->failover($key, fn () => parent::decrement(...$given));
    }

    private function failover(string $key, callable $command): mixed
    {
        while (true) {
            $result = $command();
            if (in_array($this->getResultCode(), self::ANSWERS, true)) {
                return $result;
            }
            $why = $this->getResultMessage();
            $failed = $this->getServerByKey($key);
            $others = [];
            foreach ($this->getServerList() as $node) {
                if (! $failed || [$node['host'], $node['port']] !== [$failed['host'], $failed['port']]) {
                    $others[] = [$node['host'], $node['port'], 1];
                }
            }
            if (! $others) {
                throw new \RuntimeException('no memrep node answers: '.$why);
            }
            $this->resetServerList();
            $this->addServers($others);
        }
    }
}
