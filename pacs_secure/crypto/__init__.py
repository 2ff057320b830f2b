"""How things are written: sealing and proof."""
