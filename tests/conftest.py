"""What all tests share: how hard Hypothesis tries, and nothing else."""

from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None, derandomize=True, max_examples=100)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=5000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")  # the same examples on every machine: no test fails now and then
