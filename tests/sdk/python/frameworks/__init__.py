"""One smoke test for each framework: a streamed chat that calls a tool, through Trunkline."""
