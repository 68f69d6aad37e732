"""WHAT THE AGENT CAN DO: the tool contract, the registry, one file a family."""
