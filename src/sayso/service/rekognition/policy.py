"""Which operations are refused on purpose, and by which policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation that is not served: the policy's name, and what a caller is told."""

    policy: str
    why: str

    @property
    def message(self) -> str:
        """What a caller is told, with the policy's name."""
        return f"{self.why} (policy {self.policy}; see docs/differences.md)"


_WATCHLIST = Refused(
    "live-watchlists",
    "Sayso does not look for people in live video: nobody on a street can agree to that",
)
_CELEBRITIES = Refused(
    "no-celebrities",
    "Sayso recognises only people who agreed to it, and no celebrities: to be known is not to "
    "agree",
)
_TRACKING = Refused("no-person-tracking", "Sayso does not follow people through videos")
_VIDEO = Refused(
    "not-yet-available", "faces in stored videos are not available yet: send single pictures"
)
_LIVENESS = Refused(
    "not-yet-available",
    "checks that somebody is there in person are not available: do not take a match for one",
)
_LABELS = Refused("not-about-faces", "Sayso is about faces and names no other things in pictures")
_MODERATION = Refused("not-about-faces", "Sayso is about faces and does not moderate content")
_TEXT = Refused("not-about-faces", "Sayso is about faces and does not read text")
_GEAR = Refused(
    "not-about-faces", "Sayso is about faces and does not look for protective equipment"
)
_SEGMENTS = Refused("not-about-faces", "Sayso is about faces and does not cut videos into segments")
_JOBS = Refused("not-about-faces", "Sayso is about faces and runs no media analysis jobs")
_CUSTOM = Refused(
    "not-about-faces",
    "Sayso is about faces and has no custom labels, and so no projects, data sets or models of "
    "theirs",
)

_BY_REASON: tuple[tuple[Refused, tuple[str, ...]], ...] = (
    (
        _WATCHLIST,
        (
            "CreateStreamProcessor",
            "DeleteStreamProcessor",
            "DescribeStreamProcessor",
            "ListStreamProcessors",
            "StartStreamProcessor",
            "StopStreamProcessor",
            "UpdateStreamProcessor",
        ),
    ),
    (
        _CELEBRITIES,
        (
            "GetCelebrityInfo",
            "GetCelebrityRecognition",
            "RecognizeCelebrities",
            "StartCelebrityRecognition",
        ),
    ),
    (_TRACKING, ("GetPersonTracking", "StartPersonTracking")),
    (_VIDEO, ("GetFaceDetection", "GetFaceSearch", "StartFaceDetection", "StartFaceSearch")),
    (_LIVENESS, ("CreateFaceLivenessSession", "GetFaceLivenessSessionResults")),
    (_LABELS, ("DetectLabels", "GetLabelDetection", "StartLabelDetection")),
    (
        _MODERATION,
        ("DetectModerationLabels", "GetContentModeration", "StartContentModeration"),
    ),
    (_TEXT, ("DetectText", "GetTextDetection", "StartTextDetection")),
    (_GEAR, ("DetectProtectiveEquipment",)),
    (_SEGMENTS, ("GetSegmentDetection", "StartSegmentDetection")),
    (_JOBS, ("GetMediaAnalysisJob", "ListMediaAnalysisJobs", "StartMediaAnalysisJob")),
    (
        _CUSTOM,
        (
            "CopyProjectVersion",
            "CreateDataset",
            "CreateProject",
            "CreateProjectVersion",
            "DeleteDataset",
            "DeleteProject",
            "DeleteProjectPolicy",
            "DeleteProjectVersion",
            "DescribeDataset",
            "DescribeProjectVersions",
            "DescribeProjects",
            "DetectCustomLabels",
            "DistributeDatasetEntries",
            "ListDatasetEntries",
            "ListDatasetLabels",
            "ListProjectPolicies",
            "PutProjectPolicy",
            "StartProjectVersion",
            "StopProjectVersion",
            "UpdateDatasetEntries",
        ),
    ),
)

#: Every operation that is not served. AccessDeniedException is modelled for each of them.
REFUSED: Mapping[str, Refused] = MappingProxyType(
    {name: reason for reason, names in _BY_REASON for name in names}
)
