<?php
// Symfony's MemcachedSessionHandler, for which no answer is not a "no". Goes to src/, beside FailoverMemcached.php.
//
// PHP asks the handler first whether a visitor's session id is a known one, and gives him a new cookie if it is not,
// also when the question ended in an exception: the page is an error 500, and he is logged out by it. Here such an
// id stays; the exception comes when the session is read, and the cookie is left alone.

namespace App;

use Symfony\Component\HttpFoundation\Session\Storage\Handler\MemcachedSessionHandler;

final class MemrepSessionHandler extends MemcachedSessionHandler
{
    public function validateId($sessionId): bool
    {
        try {
            return parent::validateId($sessionId);
        } catch (\RuntimeException) {
            return true;
        }
    }
}
