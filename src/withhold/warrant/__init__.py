"""Warrants: one order each, signed by intake and approvers (contract §6). Pure."""
