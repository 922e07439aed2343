<?php
// A Symfony site in one file: the real kernel, form login with its CSRF token, firewall and session.
// Its directory, named by SITE, has the memrep.yaml of deploy/symfony in it.

namespace App;

require_once 'Symfony/Bundle/FrameworkBundle/autoload.php';
require_once 'Symfony/Bundle/SecurityBundle/autoload.php';
require_once 'Symfony/Component/Yaml/autoload.php';
$site = getenv('SITE');
foreach (glob("$site/*Mem*.php") as $class) {
    require $class;
}

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Bundle\SecurityBundle\SecurityBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;
use Symfony\Component\HttpKernel\Kernel as HttpKernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;
use Symfony\Component\Security\Core\Authentication\Token\Storage\TokenStorageInterface;
use Symfony\Component\Security\Csrf\CsrfToken;
use Symfony\Component\Security\Csrf\CsrfTokenManagerInterface;

class Pages
{
    public function __construct(private CsrfTokenManagerInterface $csrf, private TokenStorageInterface $tokens) {}

    public function form(Request $request): Response
    {
        return $this->page($request, 'authenticate');
    }

    public function visit(Request $request): Response
    {
        $this->count($request, 'visits');

        return $this->page($request, 'order');
    }

    public function order(Request $request): Response
    {
        if (! $this->csrf->isTokenValid(new CsrfToken('order', $request->request->get('_token')))) {
            throw new AccessDeniedHttpException('CSRF token mismatch');
        }
        $this->count($request, 'orders');

        return $this->page($request, 'order');
    }

    private function count(Request $request, string $what): void
    {
        $session = $request->getSession();
        $session->set($what, $session->get($what, 0) + 1);
    }

    private function page(Request $request, string $form): Response
    {
        $session = $request->getSession();

        return new JsonResponse([
            'user' => $this->tokens->getToken()?->getUserIdentifier(),
            'visits' => $session->get('visits', 0),
            'orders' => $session->get('orders', 0),
            'token' => $this->csrf->getToken($form)->getValue(),
        ]);
    }
}

class Kernel extends HttpKernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle, new SecurityBundle];
    }

    public function getProjectDir(): string
    {
        return getenv('SITE');
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->import(getenv('SITE').'/memrep.yaml');
        $container->extension('framework', [
            'secret' => 'secret',
            'csrf_protection' => true,
            'session' => ['enabled' => true, 'storage_factory_id' => 'session.storage.factory.native'],
        ]);
        $container->extension('security', [
            'enable_authenticator_manager' => true,
            'password_hashers' => ['Symfony\Component\Security\Core\User\InMemoryUser' => 'plaintext'],
            'providers' => ['users' => ['memory' => ['users' => ['ada' => ['password' => 'lovelace', 'roles' => ['ROLE_USER']]]]]],
            'firewalls' => ['main' => ['form_login' => [
                'login_path' => '/login', 'check_path' => '/login', 'default_target_path' => '/login', 'enable_csrf' => true,
                'always_use_default_target_path' => true,
                'username_parameter' => 'name', 'password_parameter' => 'password', 'csrf_parameter' => '_token',
            ]]],
            'access_control' => [['path' => '^/login', 'roles' => 'PUBLIC_ACCESS'], ['path' => '^/', 'roles' => 'ROLE_USER']],
        ]);
        $container->services()->set(Pages::class)->public()->autowire();
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('form', '/login')->controller([Pages::class, 'form']);
        $routes->add('visit', '/')->controller([Pages::class, 'visit']);
        $routes->add('order', '/order')->controller([Pages::class, 'order']);
    }
}

$kernel = new Kernel('prod', false);
$response = $kernel->handle($request = Request::createFromGlobals());
$response->send();
$kernel->terminate($request, $response);
