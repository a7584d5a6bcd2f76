"""What normalised scores and the rule cost, beside plain cosines: ``python -m benchmarks.cost``."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import crowd
from benchmarks.safeguards import COLLECTION, GALLERY, PURPOSE, _fill, _synthetic, version
from benchmarks.timing import THREADS, medians_in_turns, table
from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.evidence.calibration import default, dumps
from sayso.settings import load_settings


def main() -> str:
    """Return the section."""
    picture, analyzer, made_by = crowd.compose().jpeg, Analyzer(), version()
    faces = len(analyzer.analyze(picture).faces)
    with tempfile.TemporaryDirectory() as folder:
        data, plain = Path(folder) / "data", Path(folder) / "plain.json"
        plain.write_text(dumps(replace(default(), normaliser=None)), "utf-8")
        with Sayso(data, analyzer=analyzer) as app:
            _fill(app)
        settings = load_settings()
        of = [settings, settings.model_copy(update={"calibration": plain})]
        apps = [Sayso(data, analyzer=analyzer, settings=each) for each in of]
        probes = _synthetic(GALLERY)[:100]
        loading = []
        for app in apps:
            started = time.perf_counter()
            app.recognize_templates(COLLECTION, probes[:1], purpose=PURPOSE, version=made_by)
            loading.append(time.perf_counter() - started)
        whole = medians_in_turns(
            [lambda app=app: app.recognize(COLLECTION, picture, purpose=PURPOSE) for app in apps],  # type: ignore[misc]
            repeats=9,
        )
        searching = medians_in_turns(
            [
                lambda app=app: app.recognize_templates(  # type: ignore[misc]
                    COLLECTION, probes, purpose=PURPOSE, version=made_by
                )
                for app in apps
            ],
            repeats=21,
        )
        for app in apps:
            app.close()
    rows = [
        (name, f"{1000 * ours:.0f}", f"{1000 * theirs:.0f}", f"{100 * (ours / theirs - 1):+.1f} %")
        for name, (ours, theirs) in (
            (f"recognize a picture, {faces} faces", whole),
            ("search of 100 templates", searching),
            ("from opening to the first answer, once", loading),
        )
    ]
    about = (
        f"A gallery of {GALLERY:,} subjects with one template each, {THREADS} threads; medians of "
        "9 and 21, in turns. Plain: the same with a calibration of cosines, and so without a "
        "normaliser. The rule of the collection is applied in both."
    )
    head = ("call", "normalised, ms", "plain, ms", "slower by")
    return "\n\n".join(("## Cost", about, table(head, rows), ""))


if __name__ == "__main__":
    print(main())
