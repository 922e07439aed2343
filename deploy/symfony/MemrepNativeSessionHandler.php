<?php
// The handler of php.ini as Symfony uses it, for which no answer is not a "no". Goes to src/.
//
// PHP asks the handler first whether a visitor's session id is a known one, and gives him a new cookie if it is not,
// also when the question ended in an exception: the page is an error 500, and he is logged out by it. Here such an
// id stays; the exception comes when the session is read, without asking once more, and the cookie is left alone.

namespace App;

use Symfony\Component\HttpFoundation\Session\Storage\Handler\StrictSessionHandler;

final class MemrepNativeSessionHandler extends StrictSessionHandler
{
    private \SessionHandler $phpIni;
    private ?\RedisException $failure = null;

    public function __construct()
    {
        parent::__construct($this->phpIni = new \SessionHandler);
    }

    public function validateId($sessionId): bool
    {
        try {
            return parent::validateId($sessionId);
        } catch (\RedisException $failure) {
            $this->failure = $failure;

            return true;
        }
    }

    public function read($sessionId): string
    {
        [$failure, $this->failure] = [$this->failure, null];

        return $failure === null ? parent::read($sessionId) : throw $failure;
    }

    protected function doRead(string $sessionId): string
    {
        $data = $this->phpIni->read($sessionId);

        // phpredis says so where no address could be reached. As a string it would be an empty session.
        return $data === false ? throw new \RedisException('no memrep node answers') : $data;
    }
}
