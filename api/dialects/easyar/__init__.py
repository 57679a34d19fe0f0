"""The EasyAR CRS API: targets, similarity, recognition and tokens, with their three kinds of signature."""
