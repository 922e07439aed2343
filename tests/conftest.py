"""What holds for every test.

No test has a deadline on the wall clock, Hypothesis' examples included: a busy machine is no fault of ours.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("memrep", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("memrep")
