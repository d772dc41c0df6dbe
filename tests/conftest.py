"""Options of the test suite."""

from hypothesis import HealthCheck, settings

# `default` is what a plain `pytest` runs, always the same examples; `slow` looks for new ones: pytest tests/test_properties.py --hypothesis-profile slow
common = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=200, derandomize=True, **common)
settings.register_profile("slow", max_examples=10_000, **common)
settings.load_profile("default")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=2, help="how often to kill the processes of tests/test_many_processes.py (slow run: 20)")
    parser.addoption("--rounds", type=int, default=2, help="rounds of tests/test_threads.py (slow run: 20)")
