"""What runs beside a board, in a Python of its own: standard library and py-spinnaker2 only (`link` is shared with Egret's side)."""
