"""One package for each wire protocol. They share the rules of `api.service` and never import each other."""
