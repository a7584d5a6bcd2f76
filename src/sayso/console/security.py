"""What browsers are told about the console's pages."""

from __future__ import annotations

from typing import Final

#: Scripts, styles and calls only from here, and none written into a page. Pictures that somebody
#: drops are shown from the browser's own memory (``blob:``), and the style sheet has its icons as
#: data. Nobody may put a page into a frame, and forms go nowhere else.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # With no-referrer a browser does not say either which page a form comes from.
    "Referrer-Policy": "same-origin",
}


def saved_as(name: str) -> dict[str, str]:
    """Return the headers of what is saved as a file of that name."""
    return {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
