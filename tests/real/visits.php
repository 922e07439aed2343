<?php
// The visit counter of the tutorial: a page that knows its visitor only by the session.
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
session_write_close(); // before anything is said: what the visitor reads is true
header('Content-Type: text/plain');
echo getenv('WEB_SERVER'), ' ', $_SESSION['visits'];
