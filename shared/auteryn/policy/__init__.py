"""WHAT WE ALLOW: pure rules and tables, no port, no clock."""
