"""What a file holds around its pixels: segments, chunks, boxes, walked once and judged.

Decoders look at everything that a file carries, some of it in time that grows with its square, and refuse a picture
for a fault in a part that no pixel depends on. So they are handed what pixels depend on and nothing else: a file of a
few thousand pieces at most, without metadata, that ends where the picture ends. Of the metadata one number is read,
the orientation, as well as it can be.

Nothing here walks a file byte by byte: pieces are counted and refused beyond a limit, and what lies between them is
searched by compiled code.
"""
