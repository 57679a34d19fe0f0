"""Pages for people: the gallery in a browser. Nothing of it but `mount` is imported before somebody asks for a page."""
