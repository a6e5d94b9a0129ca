"""Facts of the four Suwinet services as tables; `binding.py` reads them."""
