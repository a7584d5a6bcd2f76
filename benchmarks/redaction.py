"""Covering faces: class photos, what is left, deface: ``python -m benchmarks.redaction``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import beta

import sayso
from benchmarks import class_photos, covering, leftovers, lfw
from benchmarks.timing import table
from sayso.analyzer import Analyzer
from sayso.redaction.types import STYLES
from sayso.settings import load_settings

_LEFT_OVER = 150


def main() -> str:
    analyzer = Analyzer()
    images = lfw.folder() / "images"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "models").symlink_to(load_settings().data / "models", target_is_directory=True)
        with sayso.open(data) as app:
            groups = class_photos.classes(images)
            for group in groups:
                class_photos.enrol(app, group)
            parts = [
                "## Redaction",
                covering.compare(app, groups[0].name, analyzer, data),
                _class_photos(app, groups, analyzer),
                _left_over(images, analyzer),
            ]
    return "\n\n".join([*parts, ""])


def _class_photos(
    app: sayso.Sayso, groups: Sequence[class_photos.Class], analyzer: Analyzer
) -> str:
    verdicts: list[class_photos.Verdict] = []
    started = time.monotonic()
    for group in groups:
        for photo in class_photos.photos(group, analyzer):
            redacted = app.redact(group.name, photo.jpeg, purpose=class_photos.PURPOSE)
            verdicts.append(class_photos.judge(group, photo, redacted))
    took = time.monotonic() - started

    def total(name: str) -> int:
        return sum(getattr(each, name) for each in verdicts)

    tenths = sum(each.kept >= 0.9 * each.agreed for each in verdicts)
    rows = [
        (what, count, wrong, f"{100 * _upper_bound(wrong, count):.3f} %")
        for what, count, wrong in (
            ("did not agree", total("others"), total("others_uncovered")),
            ("in the background", total("behind"), total("behind_uncovered")),
            ("agreed (not kept)", total("agreed"), total("agreed") - total("kept")),
        )
    ]
    about = (
        f"{len(verdicts)} composed class photos of {class_photos.PEOPLE} people of LFW, of whom "
        f"{class_photos.AGREED} agreed ({len(groups)} classes); {class_photos.ELSEWHERE} of the "
        f"others, and {class_photos.ABSENT} more who are in no photo, are enrolled for another "
        "purpose or withdrew. Heads 60 to 200 pixels high, light and JPEG quality vary. Uncovered: "
        "more than a tenth of the face's box shows in the file; kept: three quarters do. Upper "
        "bounds are exact, at 95 %, as if every face were a trial of its own."
    )
    kept = total("kept") / total("agreed")
    told = (
        f"Of those who agreed {100 * kept:.1f} % were kept ({total('kept'):,} of "
        f"{total('agreed'):,}); at least nine of ten in {tenths} of {len(verdicts)} photos. Faces "
        f"shown as somebody else's, or where none is known: {total('mistaken')}. A photo took "
        f"{took / len(verdicts):.2f} s on average, composing it included."
    )
    head = ("people who", "faces", "failures", "95 % upper bound")
    return "\n\n".join(("### Class photos", about, table(head, rows), told))


def _upper_bound(failures: int, count: int) -> float:
    """Clopper and Pearson's one-sided bound of 95 %."""
    return float(beta.ppf(0.95, failures + 1, count - failures)) if failures < count else 1.0


def _left_over(images: Path, analyzer: Analyzer) -> str:
    pairs = leftovers.sittings(images, analyzer, _LEFT_OVER)
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    known = np.stack([sitting.template for sitting in second])
    ways: list[tuple[str, leftovers.Covering, tuple[int, ...]]]
    ways = [("no cover", leftovers.not_at_all, (1,))]
    ways += [(f"`{style}`", leftovers.by_style(style), leftovers.ENLARGEMENTS) for style in STYLES]
    usual = "{0} x {0} cells of mean colours (not ours)"
    ways += [(usual.format(cells), leftovers.by_mean_colours(cells), (1,)) for cells in (4, 8)]
    rows = []
    for name, way, enlargements in ways:
        for enlargement in enlargements:
            left = leftovers.templates(first, way, enlargement, analyzer)
            other = leftovers.templates(second, way, enlargement, analyzer)
            plain, knowing = leftovers.scores(left, known), leftovers.scores(left, other)
            rows.append(
                (
                    name,
                    enlargement,
                    f"{plain.area:.3f}",
                    plain.found,
                    f"{plain.own.max():.2f}",
                    f"{plain.strangers.max():.2f}",
                    f"{knowing.area:.3f}",
                    knowing.found,
                )
            )
    about = (
        f"{len(pairs)} people of LFW, two pictures each: what lies under the cover of one is cut "
        "out, enlarged and embedded at the landmarks that the face had, and compared with the "
        "other picture; or with the other picture covered the same way. AUC: how often one's own "
        "picture is more alike than a stranger's, by chance 0.5, give or take 0.05. First: for how "
        "many it is more alike than all others, by chance one."
    )
    head = (
        "cover", "enlarged", "AUC", "first", "most alike, own", "a stranger", "AUC, covered alike",
        "first, covered alike",
    )  # fmt: skip
    return "\n\n".join(("### What is left under a cover", about, table(head, rows)))


if __name__ == "__main__":
    print(main())
