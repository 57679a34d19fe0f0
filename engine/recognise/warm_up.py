"""Compiling the kernels and running the network once, so that no user's request has to.

`python -m engine.recognise.warm_up` does it when an image of a container is built: who runs it then finds the kernels
beside their modules, or in the folder of NUMBA_CACHE_DIR, also where both may only be read.
"""

from __future__ import annotations

import cv2
import numpy as np

from engine import rank
from engine.describe.features import describe_photo, describe_picture, pack_features
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import KEYPOINTS
from engine.settings import EngineSettings
from engine.shortlist import votes
from engine.verify.evidence import Candidate, add_appearance, verify_all
from engine.verify.prints import Comparator
from engine.verify.reference import Reference


def warm_up(model: PatchModel, comparator: Comparator) -> None:
    """Takes a made-up picture through every stage; nothing is kept."""
    blocks = np.random.default_rng(0).integers(0, 255, (60, 45, 3), np.uint8)
    image = cv2.resize(blocks, (480, 640), interpolation=cv2.INTER_NEAREST)
    query = Query(describe_photo(image, model), model.vocabulary)
    rows = pack_features(describe_picture(image, model), model)
    record = np.zeros((1, KEYPOINTS, 2), np.uint64)
    record[0, : len(rows)] = rows
    places, counts = np.zeros(1, np.int64), np.array([len(rows)], np.int32)
    rank.rank(rank.index_photo(query), record, record[:0], places, counts)
    words = query.words(half_bits=votes.SMALL.half_bits, count=votes.SMALL.words)
    votes.warm_up(record, counts, words, query.signatures)
    for evidence in verify_all(query, [Candidate(0, 1.0, rows, (360, 480))]):
        add_appearance(evidence, Reference(image), photo=image, model=model, comparator=comparator)


if __name__ == "__main__":
    warm_up(PatchModel(EngineSettings.model), Comparator(EngineSettings.comparator))
