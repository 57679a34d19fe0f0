"""The catalogue: the truth about channels and pictures."""

from engine.catalogue.catalogue import Catalogue
from engine.catalogue.entries import Change, Channel, Picture, PictureChanges, StoredFeatures
from engine.catalogue.note import SequenceNote

__all__ = ["Catalogue", "Change", "Channel", "Picture", "PictureChanges", "SequenceNote", "StoredFeatures"]
