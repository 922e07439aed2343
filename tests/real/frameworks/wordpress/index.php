<?php
// Every request to this WordPress; the plugin story.php answers it.
define('ABSPATH', getenv('SITE').'/');
require ABSPATH.'wp-config.php';
