"""The engine of mirrortui: everything that works without a screen."""
