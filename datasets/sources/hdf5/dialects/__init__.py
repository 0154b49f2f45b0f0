"""One file for each way to lay episodes out in HDF5, found by listing: a module that holds a `DIALECT` adds one."""
