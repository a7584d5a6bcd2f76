"""What whoever starts the service is told: the first access key, and a link to the console."""

from __future__ import annotations

from sayso.callers import ACTIONS
from sayso.core import Sayso
from sayso.results import NewAccessKey

ACTOR, PURPOSE = "admin", "administration"
_INDEXES = """\
IndexFaces records a consent to the key's purpose for each person, with your statement as evidence.
"""
_CANNOT_INDEX = """\
IndexFaces enrols people only by a key with your statement of how they agree, and this one has none.
To have the first key of a gallery made with one, start it with --purpose and --attestation.
"""


def make_first_key(
    app: Sayso, purpose: str | None = None, attestation: str | None = None
) -> NewAccessKey | None:
    """Make a key that may do everything, if there was never any key; else return None.

    Raises InvalidName for a purpose that can't be one, or GalleryError for an empty attestation.
    """
    if app.keys():
        return None
    return app.create_key(
        ACTOR, purpose=purpose or PURPOSE, actions=ACTIONS, attestation=attestation
    )


def how_to_use(made: NewAccessKey, url: str, region: str, *, kept: bool) -> str:
    """Return what to tell of the first key; ``kept`` says that it may be kept where it is told."""
    key, secret, attested = made.key.id, made.secret, made.key.attestation is not None
    warning = (
        "This was not shown on a terminal, and may be kept in a log that others read. Once you\n"
        f"have keys of your own, revoke this one:  sayso keys revoke {key}\n"
        if kept
        else "It may do everything: keep it to yourself.\n"
    )
    return f"""\
This gallery had no access key, so one was made. Its secret is not shown again.

  id      {key}
  secret  {secret}

{warning}
With curl:

  curl {url}/v1/collections -H "Authorization: Bearer {key}.{secret}"

With boto3, as with Amazon Rekognition{"" if attested else ", but for IndexFaces (see below)"}:

  rekognition = boto3.client(
      "rekognition",
      endpoint_url="{url}",
      region_name="{region}",
      aws_access_key_id="{key}",
      aws_secret_access_key="{secret}",
  )

{_INDEXES if attested else _CANNOT_INDEX}
For an application, make a key that may do only what it does, for its purpose, with your statement
of how people agree before it enrols them:

  sayso keys create photo-shop --purpose photo-delivery --allow enrol --allow search \\
      --attestation "everybody signs form 17 at the desk"
"""


def how_to_enter(url: str, token: str) -> str:
    """Return what to tell of a link to the console; what is behind its # is sent to no server."""
    return f"""
Open this in a browser to sign in to the console. It works once, for 15 minutes:

  {url}/console/enter#{token}
"""
