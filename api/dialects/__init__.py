"""One package for each wire protocol. They share `api.service` and never import each other."""
