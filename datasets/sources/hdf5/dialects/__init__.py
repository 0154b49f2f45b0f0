"""Dialects of HDF5 files, found by listing: a module that holds a `DIALECT` adds one."""
