"""The walk: every question and every command goes down once and comes out once."""
