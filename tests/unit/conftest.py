"""Property tests try the same examples everywhere, without a deadline: a slow machine breaks no rule."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("oms", deadline=None, derandomize=True)
settings.load_profile("oms")
