"""The cloud on one machine: the vendor's emulators where there are good ones, our own stand-ins where there are none.

`pytest_plugins = ["auteryn.testing.emulators.plugin"]` gives any project the fixtures.
"""
