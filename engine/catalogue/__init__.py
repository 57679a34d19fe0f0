"""The catalogue: the truth about channels and pictures."""

from engine.catalogue.catalogue import Catalogue, Change, Channel, Picture, StoredFeatures

__all__ = ["Catalogue", "Change", "Channel", "Picture", "StoredFeatures"]
