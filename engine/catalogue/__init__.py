"""The catalogue: the truth about channels and pictures."""

from engine.catalogue.backed_up import last_backup
from engine.catalogue.browse import Glimpse, Wanted
from engine.catalogue.catalogue import Catalogue
from engine.catalogue.entries import Change, Channel, Followed, Picture, PictureChanges, StoredFeatures
from engine.catalogue.note import SequenceNote

__all__ = [
    "Catalogue",
    "Change",
    "Channel",
    "Followed",
    "Glimpse",
    "Picture",
    "PictureChanges",
    "SequenceNote",
    "StoredFeatures",
    "Wanted",
    "last_backup",
]
