"""What is stored of a picture that is added."""

from __future__ import annotations

import cv2
import numpy as np

from engine.describe.features import describe_picture
from engine.describe.patch_model import PatchModel
from engine.describe.records import quantise
from engine.enrol.preparation import prepare_picture
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.drawn import encoded, poster


class TestPreparePicture:
    def test_stored_vector_is_weighted(self, patch_model: PatchModel) -> None:
        """What a gallery keeps of a picture is the global descriptor with these weights."""
        picture = poster(3)
        file = cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
        stored = prepare_picture(file, patch_model, EngineSettings(), trim=False)
        vector = np.frombuffer(stored.features.vector, np.int8)
        found, vocabulary = describe_picture(picture, patch_model), patch_model.vocabulary
        weighted, alike = (quantise(vocabulary.global_descriptor(found.descriptors, w)) for w in (found.weights, None))
        assert (vector == weighted).all()
        assert (vector != alike).any()


class TestStored:
    def test_what_is_stored(self, recognizer: Recognizer) -> None:
        """A picture's size is told without its plain margins; it takes at most 12 KB beside its rendition."""
        framed = cv2.copyMakeBorder(poster(2), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        picture = recognizer.add("one", "framed", encoded(framed, ".png"))
        assert (picture.width, picture.height) == (360, 480)
        _, _, _, keypoints, vector = recognizer.catalogue.features([picture.id])[0]
        assert len(keypoints) == 16 * picture.keypoints
        assert len(keypoints) + len(vector) <= 12 * 1024
        large = cv2.resize(poster(2), (1440, 1920))
        picture = recognizer.add("one", "large", encode_jpeg(large))
        assert (picture.width, picture.height) == (1440, 1920)
        kept = recognizer.catalogue.rendition(picture.id)
        assert kept is not None
        assert max(cv2.imdecode(np.frombuffer(kept, np.uint8), cv2.IMREAD_COLOR).shape) == 640
