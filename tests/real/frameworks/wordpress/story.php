<?php
// A plugin of the kind that keeps something of its own about a visitor: in a native PHP session, for WordPress
// itself has none. Who the visitor is stays WordPress's business, in signed cookies and the database.

add_action('init', function () {
    session_start();
    $path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    if ($path === '/login') {
        $_SERVER['REQUEST_METHOD'] === 'POST' && story_login();
    } elseif (! is_user_logged_in()) {
        wp_send_json('who are you?', 401);
    } elseif ($path === '/') {
        $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    } elseif (wp_verify_nonce($_POST['_token'], 'order')) {
        $_SESSION['orders'] = ($_SESSION['orders'] ?? 0) + 1;
    } else {
        wp_send_json('nonce mismatch', 403);
    }
    wp_send_json([
        'user' => wp_get_current_user()->user_login ?: null,
        'visits' => $_SESSION['visits'] ?? 0,
        'orders' => $_SESSION['orders'] ?? 0,
        'token' => wp_create_nonce('order'),
    ]);
});

function story_login()
{
    $user = wp_signon(['user_login' => $_POST['name'], 'user_password' => $_POST['password']]);
    if (is_wp_error($user)) {
        wp_send_json('no', 403);
    }
    session_regenerate_id(true);
    wp_set_current_user($user->ID);
}
