"""The pages of the Django site, and the web server of one of its machines: `pages.py PORT`."""

import sys
from wsgiref.simple_server import make_server

from django.contrib.auth import authenticate, login
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    session = request.session
    return JsonResponse(
        {
            "user": request.user.get_username() or None,
            "visits": session.get("visits", 0),
            "orders": session.get("orders", 0),
            "token": get_token(request),
        }
    )


def login_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        user = authenticate(request, username=request.POST["name"], password=request.POST["password"])
        if user is None:
            return HttpResponse(status=403)
        login(request, user)
    return page(request)


def count(request: HttpRequest, what: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    request.session[what] = request.session.get(what, 0) + 1
    return page(request)


urlpatterns = [
    path("login", login_page),
    path("", count, {"what": "visits"}),
    path("order", count, {"what": "orders"}),
]

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application()).serve_forever()
