"""True homographies of the sets."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.compare.score.homographies import picture_size, read_homographies
from benchmarks.compare.score.metrics import corner_error
from benchmarks.compare.score.results import score
from engine.errors import ResearchError


class TestFile:
    def test_malformed_homography(self, run_folder: Path) -> None:
        """File, line and reason are told."""
        path = run_folder.parent / "tiny" / "homographies.csv"
        path.write_text("query,ref,h11\nqa1.png,a.png,1\n")
        with pytest.raises(ResearchError, match=r"homographies\.csv: no column h12"):
            score(run_folder)
        header = ",".join(f"h{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))
        path.write_text(f"query,ref,{header}\nqa1.png,a.png,1,0,0,0,one,0,0,0,1\n")
        with pytest.raises(ResearchError, match=r"homographies\.csv, line 2.*'one'"):
            score(run_folder)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["h_graf", "h_boat", "h_boston", "h_adam"])
def test_direction_of_the_shared_homographies(name: str, shared_data: Path) -> None:
    """As read, they map the reference's pixels to the photo's: SIFT's own homography meets them within a few
    pixels. As the file has them they do not, in neither direction."""
    folder = shared_data / "eval" / "planar_pairs"
    truth = read_homographies(folder)
    assert len(truth) == 14
    (query, ref), H = next((names, H) for names, H in truth.items() if names[1] == f"{name}.jpg")
    picture, photo = (
        cv2.imread(str(folder / part / file), cv2.IMREAD_GRAYSCALE)
        for part, file in (("refs", ref), ("queries", query))
    )
    assert picture is not None
    assert photo is not None
    sift = cv2.SIFT_create(4000)
    (kp, dp), (kq, dq) = (sift.detectAndCompute(image, None) for image in (picture, photo))
    pairs = [m for m, n in cv2.BFMatcher().knnMatch(dp, dq, k=2) if m.distance < 0.8 * n.distance]
    a = np.array([kp[m.queryIdx].pt for m in pairs])
    b = np.array([kq[m.trainIdx].pt for m in pairs])
    cv2.setRNGSeed(0)
    found = cv2.findHomography(a, b, cv2.RANSAC, 3)[0]
    size = picture_size(folder / "refs" / ref)
    assert corner_error(found, H, size) < 10
    with (folder / "homographies.csv").open() as file:
        row = next(r for r in csv.DictReader(file) if r["ref"] == ref)
    raw = np.array([[float(row[f"h{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
    if photo.shape != picture.shape:
        assert min(corner_error(found, M, size) for M in (raw, np.linalg.inv(raw))) > 30
