"""The findings as machines read them: JUnit XML for continuous integration, a text file for Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import get_args
from xml.etree import ElementTree

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ...contracts.finding import Finding
from ..common import say

STATUSES = get_args(Finding.__annotations__["status"]) or ("ok", "warning", "error", "skipped")


def as_junit(found: Sequence[Finding]) -> bytes:
    """Return one test case for each finding: errors fail, what could not be looked at is skipped."""
    counts = Counter(finding.status for finding in found)
    suite = ElementTree.Element(
        "testsuite",
        name="jupytercloud check",
        tests=str(len(found)),
        failures=str(counts["error"]),
        skipped=str(counts["skipped"]),
        errors="0",
    )
    for finding in found:
        case = ElementTree.SubElement(suite, "testcase", classname=finding.area, name=say(finding.what))
        told = "\n".join(say(text) for text in (finding.why, finding.mend) if text)
        if finding.status == "error":
            ElementTree.SubElement(case, "failure", message=say(finding.what)).text = told
        elif finding.status == "skipped":
            ElementTree.SubElement(case, "skipped", message=told)
        elif finding.status == "warning":
            ElementTree.SubElement(case, "system-out").text = told
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def as_textfile(found: Sequence[Finding]) -> bytes:
    """Return the counts by area and status, and when they were taken, in Prometheus' text format.

    Every status of an area that was looked at is there, 0 too: an alert on errors ends when they are mended.
    """
    registry = CollectorRegistry()
    findings = Gauge(
        "jupytercloud_check_findings", "Findings of jupytercloud check", ["area", "status"], registry=registry
    )
    taken = Gauge("jupytercloud_check_timestamp_seconds", "When jupytercloud check ended", registry=registry)
    counts = Counter((finding.area, finding.status) for finding in found)
    for area in sorted({finding.area for finding in found}):
        for status in STATUSES:
            findings.labels(area, status).set(counts[area, status])
    taken.set(time.time())
    return generate_latest(registry)
