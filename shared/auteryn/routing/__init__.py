"""FAST OR DEEP: patterns first, one classification where they abstain."""
