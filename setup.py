"""The C core is compiled through cffi; everything else about the package stands in pyproject.toml."""

from setuptools import setup

setup(cffi_modules=["native/build_ffi.py:ffi"])
