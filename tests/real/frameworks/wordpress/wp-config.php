<?php
// The wp-config.php that three web servers share, with one database for all of them.
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:'.getenv('DB_SOCKET'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $purpose) {
    define("{$purpose}_KEY", "the key of $purpose");
    define("{$purpose}_SALT", "the salt of $purpose");
}
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
// Three ports stand for three machines behind one name. Login cookies are named after this address.
define('WP_HOME', 'http://127.0.0.1');
define('WP_SITEURL', WP_HOME);
$table_prefix = 'wp_';
require ABSPATH.'wp-settings.php';
