"""The AWS CLI against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance.conftest import KNOWN, Picture, Served


def test_a_collection_is_made_filled_searched_and_deleted(
    served: Served, person: Picture, tmp_path: Path
) -> None:
    for number in (2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(person(KNOWN, number))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": served.attested[0],
        "AWS_SECRET_ACCESS_KEY": served.attested[1],
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def aws(*arguments: str, fails: bool = False) -> Any:
        done = subprocess.run(
            [
                *(sys.executable, str(Path(sys.executable).with_name("aws")), "rekognition"),
                *arguments,
                *("--endpoint-url", served.server.url, "--output", "json"),
            ],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout or "{}")

    made = aws("create-collection", "--collection-id", "cli")
    assert made["StatusCode"] == 200
    of = ("--collection-id", "cli")
    for number in (2, 3):
        picture = ("--image-bytes", f"fileb://{number}.jpg", "--external-image-id", f"{number}.jpg")
        assert len(aws("index-faces", *of, *picture)["FaceRecords"]) == 1
    found = aws("search-faces-by-image", *of, "--image-bytes", "fileb://2.jpg")
    assert found["FaceMatches"][0]["Face"]["ExternalImageId"] == "2.jpg"
    page = ("list-faces", *of, "--page-size", "1", "--max-items", "1")
    first = aws(*page)
    second = aws(*page, "--starting-token", first["NextToken"])
    listed = [face["ExternalImageId"] for each in (first, second) for face in each["Faces"]]
    assert sorted(listed) == ["2.jpg", "3.jpg"]
    assert "ResourceAlreadyExistsException" in aws("create-collection", *of, fails=True)
    assert "AccessDeniedException" in aws("list-stream-processors", fails=True)
    aws("delete-collection", *of)
