"""WHAT IS TRUE: frozen records, and the one behaviour `run.after(event)`."""
