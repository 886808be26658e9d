"""Calls every method of the SDK twice: directly at the upstream, and through Trunkline.

The upstream records both requests, which must not differ.
"""
