"""What the panel tells browsers about trust."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "; ".join(
    [
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]
)


class HeadersMiddleware:
    """Adds the content security policy: our own files only, nothing inline. Pages are never kept by a cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        response.setdefault("Cache-Control", "no-store")
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        return response
