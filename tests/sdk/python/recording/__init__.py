"""Every method of the SDK twice: to the upstream itself, and through Trunkline.

The upstream records both requests as they came in, and they must not differ.
"""
