"""The pictures of the documentation, one module each; `python docs/make_pictures.py` writes them."""
