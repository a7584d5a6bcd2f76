"""The console, under ``/console``: pages for people, thin over the core.

``views`` has a module for each page, ``templates`` what it looks like, ``locale`` every sentence,
``static`` styles and scripts. What they share is beside them: ``visits`` (a request of somebody
signed in), ``pages`` (how a page is shown, and what becomes of its forms), ``words`` (sentences,
and numbers in words), ``security`` (headers), ``assets``.

Pages are made here, in Python; scripts only add what needs them: pictures that are dropped, zoom, a
camera. Nothing is fetched from another host, and no script or style is written into a page.
"""

from __future__ import annotations

from sayso.console.application import build

__all__ = ["build"]
