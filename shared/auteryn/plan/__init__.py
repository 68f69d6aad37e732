"""WHAT CAN RUN: the plan graph and its scheduler, pure."""
