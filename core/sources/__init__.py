"""Adapters that list products, filesets and files of remote catalogues."""
