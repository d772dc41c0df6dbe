"""Options of the test suite."""


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=2, help="how often to kill the processes of tests/test_many_processes.py (slow run: 20)")
