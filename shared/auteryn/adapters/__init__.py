"""The ports at home: `embedded` (one folder) and `gcp`. Only `compose` imports these."""
