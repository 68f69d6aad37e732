"""Which release of Auteryn this is; asking the installation's metadata would take a fifth of a cold start."""

RELEASE = "0.1.0"
