"""The window of ULMFiT Studio. It shows and starts; the work itself is done by ulmfit_core."""
